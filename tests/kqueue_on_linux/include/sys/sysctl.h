#pragma once

// The one call of FreeBSD's <sys/sysctl.h> that is needed. For tests on Linux only.

#include <stddef.h>

extern "C" int sysctlbyname(const char* name, void* oldp, size_t* oldlenp, const void* newp,
                            size_t newlen);
