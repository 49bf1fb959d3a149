// isthmus/detail/config.hpp — the few compiler-dependent switches the headers share.
// SPDX-License-Identifier: MIT
#pragma once

// Exception types need one identity across shared libraries, also where a library is built with hidden
// visibility (extension modules are): otherwise `catch` in one does not match a throw in another.
#if defined(__GNUC__)
#define ISTHMUS_EXPORT __attribute__((visibility("default")))
#else
#define ISTHMUS_EXPORT
#endif

#if defined(__GNUC__)
#define ISTHMUS_NOINLINE __attribute__((noinline))
#define ISTHMUS_ALWAYS_INLINE __attribute__((always_inline))
// Errors, introspection, and what is done once: small code, that is apart from the rest and soon compiled.
#define ISTHMUS_COLD __attribute__((cold))
#else
#define ISTHMUS_NOINLINE
#define ISTHMUS_ALWAYS_INLINE
#define ISTHMUS_COLD
#endif

// Recycled frames would hide a use-after-free from AddressSanitizer, so it sees every allocation.
// A program may define ISTHMUS_RECYCLE_FRAMES itself.
#if !defined(ISTHMUS_RECYCLE_FRAMES)
#if defined(__SANITIZE_ADDRESS__)
#define ISTHMUS_RECYCLE_FRAMES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ISTHMUS_RECYCLE_FRAMES 0
#endif
#endif
#endif
#if !defined(ISTHMUS_RECYCLE_FRAMES)
#define ISTHMUS_RECYCLE_FRAMES 1
#endif

// Whether two threads that drive one chain at the same time are found for certain, for a price (chain_guard.hpp).
// It must be the same in all that is linked together.
#if !defined(ISTHMUS_CHECK_THREADS)
#define ISTHMUS_CHECK_THREADS 0
#endif
