// isthmus/detail/access.hpp — what coroutine needs of frames beside the chain, and layers above of coroutines.
// SPDX-License-Identifier: MIT
#pragma once

#include "closing.hpp"

#include <type_traits>
#include <utility>

namespace isthmus::inline v1::detail {

/// What send() takes: Send itself, or `none` for void.
template <class Send>
using sendable = std::conditional_t<std::is_void_v<Send>, none, Send>;
template <class Send>
using sendable_pointer = std::remove_reference_t<sendable<Send>>*;

/// Shows what a chain at rest, if `f` is its root, holds of a layer above (delegate::visit): what a running one holds
/// changes meanwhile.
inline void visit_held(frame& f, held_visitor visitor, void* context) noexcept {
    if (f.created() || f.attached() || is_running(f)) {
        return;
    }
    if (const delegate* const awaiting = f.leaf_at_rest()->awaiting) {
        awaiting->visit(visitor, context);
    }
}

/// For the layers above, which hold frames without the coroutine object.
struct frame_access {
    /// The frame, null if it has finished.
    template <class Coroutine>
    static frame* get(Coroutine& coroutine) noexcept {
        return coroutine.frame_;
    }
    /// What its chain waits for; null if it does not wait.
    template <class Coroutine>
    static delegate* awaited(Coroutine& coroutine) noexcept {
        return coroutine.frame_ != nullptr ? awaited_at_end(*coroutine.frame_) : nullptr;
    }
    /// The frame, whose owner is from now on `owner`, which is set to it. The coroutine object is left empty.
    template <class Coroutine>
    static void move_to(Coroutine& coroutine, frame*& owner) noexcept {
        owner = std::exchange(coroutine.frame_, nullptr);
        if (owner != nullptr) {
            owner->owner = &owner;
        }
    }
};

} // namespace isthmus::inline v1::detail
