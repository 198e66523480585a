// The allocator, interposed. In plain builds malloc and its family are this file's and call glibc's
// own; under a sanitizer they belong to the sanitizer, which tells its hooks.
#include "support/allocations.hpp"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PROA_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PROA_TEST_SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(PROA_TEST_SANITIZED)
#define PROA_TEST_OWN_MALLOC 1
#endif

namespace {

std::atomic<std::uint64_t> count{0};

struct Failure {
  std::uint64_t left = 0;  // 0: none is to fail
  bool persistent = false;
  bool failed = false;
};
thread_local Failure failure;

// One attempt to allocate; false if it is to fail.
bool allowed() noexcept {
  if (failure.left == 0 || --failure.left > 0) return true;
  failure.failed = true;
  if (failure.persistent) failure.left = 1;
  return false;
}

#ifdef PROA_TEST_SANITIZED
void counted(const volatile void*, std::size_t) noexcept { ++count; }
void ignored(const volatile void*) noexcept {}
#endif

void* allocate(std::size_t size, std::size_t alignment) noexcept {
  if (size == 0) size = 1;
#ifdef PROA_TEST_OWN_MALLOC
  return alignment == 0 ? std::malloc(size) : std::aligned_alloc(alignment, size);
#else
  if (!allowed()) return nullptr;
  if (!proa_test::counts_malloc()) ++count;
  if (alignment == 0) return std::malloc(size);
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
#endif
}

void* allocate_or_throw(std::size_t size, std::size_t alignment = 0) {
  void* const memory = allocate(size, alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

std::size_t value(std::align_val_t alignment) { return static_cast<std::size_t>(alignment); }

}  // namespace

#ifdef PROA_TEST_OWN_MALLOC
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);

void* malloc(std::size_t size) {
  ++count;
  return allowed() ? __libc_malloc(size) : nullptr;
}
void* calloc(std::size_t elements, std::size_t size) {
  ++count;
  return allowed() ? __libc_calloc(elements, size) : nullptr;
}
void* realloc(void* memory, std::size_t size) {
  ++count;
  return allowed() ? __libc_realloc(memory, size) : nullptr;
}
void* memalign(std::size_t alignment, std::size_t size) {
  ++count;
  return allowed() ? __libc_memalign(alignment, size) : nullptr;
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  *memory = memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}
void free(void* memory) { __libc_free(memory); }
}
#endif
#ifdef PROA_TEST_SANITIZED
extern "C" __attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(
    void (*)(const volatile void*, std::size_t), void (*)(const volatile void*));
extern "C" __attribute__((weak)) std::size_t __sanitizer_get_current_allocated_bytes();
#endif

void* operator new(std::size_t size) { return allocate_or_throw(size); }
void* operator new[](std::size_t size) { return allocate_or_throw(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, value(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, value(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 0); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(size, value(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(size, value(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  std::free(memory);
}

namespace proa_test {

bool counts_malloc() {
#ifdef PROA_TEST_OWN_MALLOC
  return true;
#elif defined(PROA_TEST_SANITIZED)
  static const bool hooked = __sanitizer_install_malloc_and_free_hooks != nullptr &&
                             __sanitizer_install_malloc_and_free_hooks(counted, ignored) > 0;
  return hooked;
#else
  return false;
#endif
}

std::uint64_t allocations() {
  counts_malloc();
  return count.load();
}

std::size_t bytes_in_use() {
#ifdef PROA_TEST_OWN_MALLOC
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
#elif defined(PROA_TEST_SANITIZED)
  return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : 0;
#else
  return 0;
#endif
}

FailingAllocation::FailingAllocation(std::uint64_t nth, bool persistent) {
  failure = {nth, persistent, false};
}

bool FailingAllocation::stop() {
  failure.left = 0;
  return failure.failed;
}

}  // namespace proa_test
