// isthmus/await_iterator.hpp — what coroutine::await() gives: Python's `__await__`.
// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>
#include <utility>

namespace isthmus::inline v1 {

/// The await-iterator of a coroutine (`__await__`, clause 9): drives the same coroutine, and `co_await` of it goes on
/// with one that was already started (7.9). `Coroutine` is the type itself if the iterator owns the coroutine, or a
/// reference to it, which must outlive the iterator.
template <class Coroutine>
class [[nodiscard]] await_iterator {
public:
    explicit await_iterator(Coroutine&& coroutine) noexcept : coroutine_(std::forward<Coroutine>(coroutine)) {}

    /// All operations are those of the coroutine, errors included (9.3).
    auto send() { return coroutine_.send(); }
    template <class Value>
    auto send(Value&& value) {
        return coroutine_.send(std::forward<Value>(value));
    }
    template <class Error>
    auto throw_(Error&& error) {
        return coroutine_.throw_(std::forward<Error>(error));
    }
    auto close() { return coroutine_.close(); }

    /// The coroutine that this drives.
    std::remove_reference_t<Coroutine>& target() noexcept { return coroutine_; }

private:
    Coroutine coroutine_;
};

} // namespace isthmus::inline v1
