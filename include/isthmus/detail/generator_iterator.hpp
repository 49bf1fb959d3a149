// isthmus/detail/generator_iterator.hpp — a generator as an input range: each increment is Python's next().
// SPDX-License-Identifier: MIT
#pragma once

#include "../step.hpp"
#include "access.hpp"

#include <cstddef>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::detail {

/// Holds what the generator yielded last, so reading it is safe whatever has become of the generator. One that is at
/// the end stays there, also when it is incremented.
template <class Generator>
class [[nodiscard]] generator_iterator {
    using step_type = typename Generator::step_type;
    using yielded =
        std::conditional_t<std::is_void_v<typename Generator::yield_type>, none, typename Generator::yield_type>;

public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = std::remove_cvref_t<yielded>;
    using difference_type = std::ptrdiff_t;
    using reference = yielded&&;

    explicit generator_iterator(Generator& source) : source_(&source) { advance(); }
    generator_iterator(generator_iterator&& other) = default;
    generator_iterator&
    operator=(generator_iterator&& other) noexcept(std::is_nothrow_move_constructible_v<step_type>) {
        if (this != &other) { // not by assigning the step, whose values need only be move-constructible
            source_ = other.source_;
            step_.reset();
            if (other.step_) {
                step_.emplace(std::move(*other.step_));
            }
        }
        return *this;
    }
    ~generator_iterator() = default;

    /// What was yielded. Refers into *this, unless Yield is a reference. Throws std::bad_optional_access at the end.
    reference operator*() const {
        if constexpr (std::is_void_v<typename Generator::yield_type>) {
            static none nothing;
            static_cast<void>(step_.value());
            return std::move(nothing);
        } else {
            return static_cast<reference>(step_.value().yielded());
        }
    }
    generator_iterator& operator++() {
        advance();
        return *this;
    }
    void operator++(int) { advance(); }

    friend bool operator==(const generator_iterator& iterator, std::default_sentinel_t) noexcept {
        return !iterator.step_.has_value();
    }

private:
    void advance() {
        step_.reset();
        if (frame_access::get(*source_) == nullptr) {
            return;
        }
        auto next = source_->send();
        if (!next.done()) {
            step_.emplace(std::move(next));
        }
    }

    Generator* source_;
    mutable std::optional<step_type> step_; // an input iterator may be read once: what it refers to may be moved from
};

} // namespace isthmus::inline v1::detail
