#pragma once

#if __cplusplus < 201703L
#error "proa needs C++17: compile with -std=c++17 or newer"
#endif

/// What the shared library exports: the functions of programs, and their classes, if these have
/// functions in the library or virtual ones.
#define PROA_API __attribute__((visibility("default")))
