// The version of Asio as its authors write it.
#pragma once

#include <asio/version.hpp>
#include <string>

inline std::string asio_version() {
  return "Asio " + std::to_string(ASIO_VERSION / 100000) + "." +
         std::to_string(ASIO_VERSION / 100 % 1000) + "." + std::to_string(ASIO_VERSION % 100);
}
