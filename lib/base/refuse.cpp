// Where what others return is thrown, as far as there are exceptions.
#include "base/refuse.hpp"

#ifndef __cpp_exceptions
#include "base/misuse.hpp"
#endif

namespace proa {
inline namespace v0 {

void refuse(std::error_code error, const std::string& what) {
  const std::system_error refusal(error, what);
#ifdef __cpp_exceptions
  throw refusal;
#else
  misuse("%s", refusal.what());
#endif
}

}  // namespace v0
}  // namespace proa
