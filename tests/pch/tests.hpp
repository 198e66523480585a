#pragma once

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
