// The kqueue backend where it is built in.
#include "support/kqueue.hpp"

namespace proa_test {

void use_kqueue(proa::Options&, bool) {}

}  // namespace proa_test
