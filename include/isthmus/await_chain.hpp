// isthmus/await_chain.hpp — what a coroutine is waiting for: the chain from it to the leaf, as a range and as text.
// SPDX-License-Identifier: MIT
#pragma once

#include "detail/access.hpp"
#include "detail/names.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <ranges>
#include <string>
#include <string_view>

namespace isthmus::inline v1 {

/// One level of an await chain: a coroutine or generator and where it is; or, at the end, something else that is
/// awaited, of which only the type is known. Valid until the chain is resumed or destroyed.
class await_chain_level {
public:
    /// The name of the coroutine function, with its namespaces and class; or the type of what is awaited.
    std::string name() const {
        return frame_ != nullptr ? std::string(detail::plain_name(frame_->where.function_name()))
                                 : delegate_->awaited_type();
    }
    /// The file of the coroutine function; empty for what is none.
    const char* file() const noexcept { return frame_ != nullptr ? frame_->where.file_name() : ""; }
    /// The line of the co_await or co_yield at which it is suspended, or which it came to last if it runs; that of the
    /// function if it has not started; 0 for what is no coroutine function.
    std::uint32_t line() const noexcept { return frame_ != nullptr ? frame_->current_line() : 0; }
    /// Whether it is a coroutine or generator of this library.
    bool is_native() const noexcept { return frame_ != nullptr; }

    friend bool operator==(const await_chain_level&, const await_chain_level&) = default;

private:
    friend class await_chain_view;
    explicit await_chain_level(const detail::frame* frame) noexcept : frame_(frame) {}

    await_chain_level next() const noexcept {
        await_chain_level below(nullptr);
        if (frame_ != nullptr && frame_->awaiting != nullptr) {
            below.frame_ = frame_->awaiting->awaited_frame();
            below.delegate_ = below.frame_ == nullptr ? frame_->awaiting : nullptr;
        }
        return below;
    }

    const detail::frame* frame_;
    const detail::delegate* delegate_ = nullptr;
};

/// The levels from a coroutine down to the leaf: a forward range and a view. Going to the next level is O(1), and
/// nothing is allocated. Valid until the chain is resumed or destroyed; by whichever thread may drive it.
class await_chain_view : public std::ranges::view_interface<await_chain_view> {
public:
    class iterator {
    public:
        using value_type = await_chain_level;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag; // what * gives is no reference

        iterator() noexcept = default;
        await_chain_level operator*() const noexcept { return level_; }
        iterator& operator++() noexcept {
            level_ = level_.next();
            return *this;
        }
        iterator operator++(int) noexcept {
            iterator before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const iterator&, const iterator&) = default;
        friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept { return at.ended(); }

    private:
        friend class await_chain_view;
        explicit iterator(await_chain_level level) noexcept : level_(level) {}
        bool ended() const noexcept { return level_ == await_chain_level(nullptr); }
        await_chain_level level_{nullptr};
    };

    await_chain_view() noexcept = default;
    explicit await_chain_view(const detail::frame* root) noexcept : root_(root) {}
    iterator begin() const noexcept { return iterator(await_chain_level(root_)); }
    std::default_sentinel_t end() const noexcept { return {}; }

    /// A line for each level, from the root to the leaf, in the form of a Python traceback:
    ///     File "server.cpp", line 12, in Server::handle
    ///     File "server.cpp", line 48, in read_request
    ///     awaiting Socket
    std::string text() const {
        std::string lines;
        for (const await_chain_level level : *this) {
            if (level.is_native()) {
                lines += "File \"";
                lines += level.file();
                lines += "\", line " + std::to_string(level.line()) + ", in ";
            } else {
                lines += "awaiting ";
            }
            lines += level.name();
            lines += '\n';
        }
        return lines;
    }

private:
    const detail::frame* root_ = nullptr;
};

/// What `coroutine`, a coroutine or generator of this library, is waiting for: itself first, then what it awaits, and
/// so on (8.3). Empty if it is closed. Any state; what it refers to must not be resumed or destroyed meanwhile.
template <class Coroutine>
    requires requires(Coroutine& coroutine) { detail::frame_access::get(coroutine); }
await_chain_view await_chain(Coroutine& coroutine) noexcept {
    return await_chain_view(detail::frame_access::get(coroutine));
}

} // namespace isthmus::inline v1
