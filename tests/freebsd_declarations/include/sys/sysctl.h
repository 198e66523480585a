#pragma once

// sysctl(3) of FreeBSD 13.

#include <stddef.h>

extern "C" int sysctlbyname(const char* name, void* oldp, size_t* oldlenp, const void* newp,
                            size_t newlen);
