// The least program that needs the library and not only its headers.
#include <cstdio>
#include <proa/version.hpp>

int main() { return std::puts(proa::version()) < 0; }
