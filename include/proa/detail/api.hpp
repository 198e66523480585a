#pragma once

/// What the shared library exports: the functions of programs, and their classes, if these have
/// functions in the library or virtual ones.
#define PROA_API __attribute__((visibility("default")))
