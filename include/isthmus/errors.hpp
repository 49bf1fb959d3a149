// isthmus/errors.hpp — what misuse of the protocol throws, and the exception that closes a coroutine.
// SPDX-License-Identifier: MIT
#pragma once

#include "detail/config.hpp"

#include <exception>
#include <typeinfo>

namespace isthmus::inline v1 {

namespace detail {

/// Which of the library's types a frame is driven as. CPython names it in the texts of its errors.
enum class frame_kind : unsigned char { coroutine, generator };

constexpr const char* text_for(frame_kind kind, const char* coroutine, const char* generator) noexcept {
    return kind == frame_kind::coroutine ? coroutine : generator;
}

} // namespace detail

/// Base of every error that misuse of the protocol raises. what() is CPython's own message.
class ISTHMUS_EXPORT protocol_error : public std::exception {
public:
    explicit protocol_error(const char* text) noexcept : text_(text) {}
    const char* what() const noexcept override { return text_; }

private:
    const char* text_; // always a string literal
};

/// The misuse that CPython reports as TypeError.
class ISTHMUS_EXPORT type_error : public protocol_error {
public:
    using protocol_error::protocol_error;
};

/// The misuse that CPython reports as ValueError.
class ISTHMUS_EXPORT value_error : public protocol_error {
public:
    using protocol_error::protocol_error;
};

/// The misuse that CPython reports as RuntimeError.
class ISTHMUS_EXPORT runtime_error : public protocol_error {
public:
    using protocol_error::protocol_error;
};

/// The misuse that CPython reports as AttributeError.
class ISTHMUS_EXPORT attribute_error : public protocol_error {
public:
    using protocol_error::protocol_error;
};

// What follows is said of a coroutine and, with its name in the text, of a generator.

/// A value was sent to a coroutine that has not started; it can still be started (clauses 2.2, 15.7).
class ISTHMUS_EXPORT send_to_unstarted : public type_error {
public:
    explicit send_to_unstarted(detail::frame_kind kind = detail::frame_kind::coroutine) noexcept
        : type_error(detail::text_for(kind, "can't send non-None value to a just-started coroutine",
                                      "can't send non-None value to a just-started generator")) {}
};

/// send() without a value reached a suspended coroutine whose Send type has no empty value. Python has no such
/// case, since there None is a value of every type.
class ISTHMUS_EXPORT missing_value : public type_error {
public:
    explicit missing_value(detail::frame_kind kind = detail::frame_kind::coroutine) noexcept
        : type_error(detail::text_for(kind, "can't send None to a coroutine whose Send type has no empty value",
                                      "can't send None to a generator whose Send type has no empty value")) {}
};

/// throw_() was given no exception (clause 5.4). The coroutine was not resumed.
class ISTHMUS_EXPORT not_an_exception : public type_error {
public:
    not_an_exception() noexcept
        : type_error("exceptions must be classes or instances deriving from BaseException, not NoneType") {}
};

/// A coroutine whose Yield is `none` yielded, but the one that is driven has a Yield type without an empty value.
class ISTHMUS_EXPORT unexpected_yield : public type_error {
public:
    unexpected_yield() noexcept
        : type_error("can't yield None where the Yield type that is driven has no empty value") {}
};

/// A value was sent to what is awaited or yielded from, which has no send() that takes one (3.2). Raised there.
class ISTHMUS_EXPORT cannot_send : public attribute_error {
public:
    cannot_send() noexcept : attribute_error("object has no attribute 'send'") {}
};

/// The coroutine is running: it was resumed, closed or awaited from within itself (2.8, 5.11, 6.7, 7.8, 15.7).
class ISTHMUS_EXPORT already_executing : public value_error {
public:
    explicit already_executing(detail::frame_kind kind = detail::frame_kind::coroutine) noexcept
        : value_error(detail::text_for(kind, "coroutine already executing", "generator already executing")) {}
};

/// The coroutine has finished; what was sent or thrown is dropped (2.7, 5.10, 7.6).
class ISTHMUS_EXPORT already_finished : public runtime_error {
public:
    already_finished() noexcept : already_finished("cannot reuse already awaited coroutine") {}

protected:
    explicit already_finished(const char* text) noexcept : runtime_error(text) {}
};

/// send() to a generator that has finished and whose Return type has no empty value. Python has no such case, since
/// there a finished generator returns None (15.7).
class ISTHMUS_EXPORT generator_exhausted : public already_finished {
public:
    generator_exhausted() noexcept
        : already_finished("the generator has finished, and its Return type has no empty value") {}
};

/// `co_await` of a coroutine that is suspended; the other awaiter is not disturbed (7.7).
class ISTHMUS_EXPORT already_awaited : public runtime_error {
public:
    already_awaited() noexcept : runtime_error("coroutine is being awaited already") {}
};

/// The coroutine yielded when it was closed; it stays suspended and can be closed again (6.5, 15.7).
class ISTHMUS_EXPORT ignored_generator_exit : public runtime_error {
public:
    explicit ignored_generator_exit(detail::frame_kind kind = detail::frame_kind::coroutine) noexcept
        : runtime_error(detail::text_for(kind, "coroutine ignored GeneratorExit", "generator ignored GeneratorExit")) {}
};

/// What close() raises at the suspension point (6.2). As in Python it is not an ordinary error, so
/// `catch (const std::exception&)` does not see it.
class ISTHMUS_EXPORT generator_exit {};

/// What a task that is cancelled finds at its co_await. As in Python it is not an ordinary error, so that
/// `catch (const std::exception&)` does not see it: let it pass, or throw it on.
class ISTHMUS_EXPORT cancelled {};

namespace detail {

/// In a handler: the exception that it handles. A foreign one cannot be kept, but is an error all the same.
inline std::exception_ptr current_error() noexcept {
    std::exception_ptr error = std::current_exception();
    return error ? error : std::make_exception_ptr(std::bad_exception());
}

/// What a handler for `const Error&` would catch, null if it would not. `error` must not be null; it owns the result.
template <class Error>
const Error* exception_cast(const std::exception_ptr& error) noexcept {
#if defined(__GLIBCXX__)
    // Asking the runtime costs a few ns, where rethrowing costs a microsecond.
    const std::type_info* thrown = error.__cxa_exception_type();
    static_assert(sizeof(error) == sizeof(void*));          // all it holds is the pointer to the exception object
    void* object = *reinterpret_cast<void* const*>(&error); // __do_catch adjusts it, by a virtual base it reads
    const bool caught = *thrown == typeid(Error) || typeid(Error).__do_catch(thrown, &object, 1);
    return caught ? static_cast<const Error*>(object) : nullptr;
#else
    try {
        std::rethrow_exception(error);
    } catch (const Error& caught) {
        return &caught;
    } catch (...) {
        return nullptr;
    }
#endif
}
/// Whether `error` is a generator_exit or derived from it. `error` must not be null.
inline bool is_generator_exit(const std::exception_ptr& error) noexcept {
    return exception_cast<generator_exit>(error) != nullptr;
}

/// Why an operation was refused. Kept as a code, since the try_ forms make the error without a throw.
enum class misuse : unsigned char {
    none,
    send_to_unstarted,
    missing_value,
    not_an_exception,
    already_executing,
    already_finished,
    already_awaited,
    ignored_generator_exit,
    generator_exhausted,
};

/// Calls `use` with the error object for `code`, about a coroutine or generator.
template <class Use>
ISTHMUS_COLD decltype(auto) with_misuse(misuse code, frame_kind kind, Use&& use) {
    switch (code) {
    case misuse::send_to_unstarted:
        return use(send_to_unstarted(kind));
    case misuse::missing_value:
        return use(missing_value(kind));
    case misuse::not_an_exception:
        return use(not_an_exception());
    case misuse::already_executing:
        return use(already_executing(kind));
    case misuse::already_awaited:
        return use(already_awaited());
    case misuse::ignored_generator_exit:
        return use(ignored_generator_exit(kind));
    case misuse::generator_exhausted:
        return use(generator_exhausted());
    case misuse::already_finished:
    case misuse::none:
        break;
    }
    return use(already_finished());
}

ISTHMUS_COLD inline std::exception_ptr make_misuse(misuse code, frame_kind kind = frame_kind::coroutine) noexcept {
    return with_misuse(code, kind, [](auto error) { return std::make_exception_ptr(error); });
}

[[noreturn]] ISTHMUS_COLD inline void throw_misuse(misuse code, frame_kind kind = frame_kind::coroutine) {
    std::rethrow_exception(make_misuse(code, kind));
}

} // namespace detail
} // namespace isthmus::inline v1
