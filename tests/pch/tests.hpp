// Not #pragma once, which gcc warns of in a header that it compiles by itself.
#ifndef PROA_TESTS_PCH_TESTS_HPP
#define PROA_TESTS_PCH_TESTS_HPP

// What nearly every test includes, compiled once per program. Tests include what they use all the
// same, and build without this header too (-Db_pch=false).
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <proa/proa.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

#endif  // PROA_TESTS_PCH_TESTS_HPP
