// tests/cpp/support.hpp — what several of the C++ tests use.
// SPDX-License-Identifier: MIT
#pragma once

#include <isthmus/isthmus.hpp>

#include <gtest/gtest.h>
#include <pthread.h>

#include <concepts>
#include <exception>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

namespace test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif

/// So many levels, or awaits, that one call for each would overflow a stack of 8 MB.
#if defined(TEST_SANITIZED)
inline constexpr int deep = 100'000; // a tenth of the time, and 83 bytes a level are still far too few
#else
inline constexpr int deep = 1'000'000;
#endif

/// What happened, in order.
using trace = std::vector<std::string>;

/// Writes to the trace when it is destroyed.
class note {
public:
    note(trace& log, std::string text) : log_(&log), text_(std::move(text)) {}
    note(note&& other) noexcept : log_(std::exchange(other.log_, nullptr)), text_(std::move(other.text_)) {}
    note(const note&) = delete;
    note& operator=(const note&) = delete;
    ~note() {
        if (log_ != nullptr) {
            log_->push_back(text_);
        }
    }

private:
    trace* log_;
    std::string text_;
};

/// An ordinary error of user code.
class boom : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// An exit of the user's own, which must be treated as any generator_exit and arrive as what it is.
class custom_exit : public isthmus::generator_exit {
public:
    explicit custom_exit(int n) : number(n) {}
    int number;
};

/// what() of the Error that `action` throws, whose type must be exactly Error.
template <class Error, std::invocable Action>
std::string caught(Action&& action) {
    try {
        action();
    } catch (const Error& error) {
        return typeid(error) == typeid(Error) ? error.what() : std::string("a derived type: ") + error.what();
    } catch (const std::exception& error) {
        return std::string("another type: ") + error.what();
    } catch (...) {
        return "something that is no std::exception";
    }
    return "nothing was thrown";
}

/// The same of an exception_ptr.
template <class Error>
std::string caught(const std::exception_ptr& error) {
    return error == nullptr ? "no error" : caught<Error>([&] { std::rethrow_exception(error); });
}

#define EXPECT_ERROR(statement, type, text) EXPECT_EQ(::test::caught<type>([&] { static_cast<void>(statement); }), text)

inline const char* const executing = "coroutine already executing";
inline const char* const finished = "cannot reuse already awaited coroutine";
inline const char* const awaited = "coroutine is being awaited already";
inline const char* const ignored = "coroutine ignored GeneratorExit";
inline const char* const unstarted = "can't send non-None value to a just-started coroutine";
inline const char* const no_none = "can't send None to a coroutine whose Send type has no empty value";

/// Calls `body` on a thread whose stack has 8 MB, whatever the limit of the process is.
template <class Body>
void on_8_mb_stack(Body body) {
    pthread_attr_t attributes;
    ASSERT_EQ(pthread_attr_init(&attributes), 0);
    ASSERT_EQ(pthread_attr_setstacksize(&attributes, std::size_t{8} << 20), 0);
    const auto run = [](void* argument) -> void* {
        (*static_cast<Body*>(argument))();
        return nullptr;
    };
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, &attributes, run, &body), 0);
    ASSERT_EQ(pthread_join(thread, nullptr), 0);
    pthread_attr_destroy(&attributes);
}

} // namespace test
