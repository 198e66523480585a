#pragma once

#include <proa/on.hpp>
#include <proa/work.hpp>

/// What a worker computes.
struct Sum {
  void add() noexcept { sum = 40 + 2; }
  void added(const proa::Result& result) { done = !result.error; }
  bool right() const { return done && sum == 42; }

  int sum = 0;
  bool done = false;
  proa::On<proa::Work, &Sum::added> work{*this};
};
