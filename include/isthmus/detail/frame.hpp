// isthmus/detail/frame.hpp — the head of every coroutine's frame, the step that runs through it, and what it waits for.
// SPDX-License-Identifier: MIT
//
// A coroutine that somebody drives is a *root*. It awaits another, that one a third, and so on to the *leaf*, the
// only one that is really suspended. The root remembers the leaf, so a resume goes straight to it and costs the
// same at any depth. While a chain runs, an `activation` on the driver's stack holds what the step passes in and
// out; only the root and the leaf point to it. When a frame ends, it hands that pointer to its awaiter.
//
// What a frame is doing follows from the chain and is stored nowhere else:
//   no frame: closed      link == 0: created      its root runs an activation: running      otherwise: suspended
#pragma once

#include "../errors.hpp"
#include "../step.hpp"
#include "chain_guard.hpp"

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <source_location>
#include <string>
#include <utility>

namespace isthmus::inline v1::detail {

struct frame;
struct native_link;

/// Whoever drives a chain may be told of the errors that go up through it, to remember their way.
struct error_observer {
    /// `error` is about to be raised in `at`, where that waits.
    virtual void arrives(frame& at, const std::exception_ptr& error) noexcept = 0;
    /// `ended` has ended in `error`, which was raised in it, or had arrived in it before.
    virtual void leaves(frame& ended, const std::exception_ptr& error) noexcept = 0;

protected:
    ~error_observer() = default;
};

/// What whoever drives a chain lets its frames know: in the low bits of the step's address, since these cost nothing.
struct driver_traits {
    bool observed = false;    ///< activation::observer is set
    bool accepts_none = true; ///< the root can yield None

    constexpr std::uintptr_t bits() const noexcept { return (observed ? 2U : 0U) | (accepts_none ? 4U : 0U); }
};

/// One step of a chain, on the stack of whoever drives it.
struct alignas(8) activation {
    void* sent = nullptr;    ///< the driver's Send object, for the first that is resumed; null for None
    frame* leaf;             ///< the frame to resume next, from begin() on; null when the root has ended
    void* yielded = nullptr; ///< set when the chain suspends: the Yield object, which lives in the chain
    const std::exception_ptr* injected = nullptr; ///< raised where the leaf is resumed; null again when that is so
    error_observer* observer;                     ///< if the frames know of one: of those, frame::observer() tells

    // Where `yielded` points when there is no object. Not globals, of which each extension module has its own.
    none none_yielded; ///< a level whose Yield is `none` has suspended, whatever the root's Yield is
    none refused;      ///< nothing was resumed; `error` of the leaf, which is at rest as before, is the driver's (5.22)

    explicit activation(void* value = nullptr) noexcept : sent(value) {}

    [[no_unique_address]] chain_guard guard; ///< held from the check whether the chain is at rest until it runs

    /// The injected error, which from now on counts as delivered.
    std::exception_ptr take_injected() noexcept { return *std::exchange(injected, nullptr); }
    /// After a resume, whether somebody has taken it or not.
    void drop_sent() noexcept {
        if (sent != nullptr) [[unlikely]] { // a store costs more than a look
            sent = nullptr;
        }
    }
    [[noreturn]] ISTHMUS_NOINLINE void raise_injected() { std::rethrow_exception(take_injected()); }
};

/// Is shown an object that a layer above holds, by delegate::visit().
using held_visitor = void (*)(void* held, void* context);

/// Frames that were to be destroyed too early for what they wait for. Whoever owns them calls `destroy(what)`, once.
struct left_frames {
    void* what;
    void (*destroy)(void* what) noexcept;
};

/// What a frame suspended in `co_await` waits for. Lives in that frame, and is consulted when the frame is the
/// leaf: that is, when what it awaits is not itself part of this chain.
struct delegate {
    frame* parent = nullptr;
    bool passes_errors = false; ///< nothrow(): `parent` is not resumed with an error, but ends in it
    bool failed = false;        ///< it is a failing<>, and keeps an error

    /// Passes the step on to what is awaited. Afterwards either `yielded` is set, or the leaf has changed, or
    /// the frame is to be resumed, which is said by clearing its `awaiting`.
    virtual void advance(activation& step) noexcept = 0;
    /// Closes what is awaited (5.23, 6.9). Returns the error that came out, null if none did.
    virtual std::exception_ptr close() noexcept = 0;
    /// Destroys what is awaited, where it has frames that do not die with this one.
    virtual void destroy_awaited() noexcept {}
    /// The chain is to be closed or destroyed. True: what is awaited is being cancelled, but cannot end before whoever
    /// closes the chain has returned.
    virtual bool outlasts() noexcept { return false; }
    /// Then, where the chain is destroyed: what is awaited owns its frames until it has ended.
    virtual void keep(left_frames /*frames*/) noexcept {}
    /// What is awaited, if it is a frame, else null.
    virtual frame* awaited_frame() const noexcept { return nullptr; }
    /// The frame that comes next in the chain, null if this is the end of it.
    virtual const frame* next_level() const noexcept { return nullptr; }
    /// What is awaited, if it is an object of the layer above, else null. Its owner is this delegate.
    virtual void* awaited_object() const noexcept { return nullptr; }
    /// The type of what is awaited, for people to read. Its layer's lock must be held, Python's GIL say.
    virtual std::string awaited_type() const = 0;
    /// Shows every object of the layer above that is certainly owned here to the visitor, for its garbage collector.
    virtual void visit(held_visitor, void* /*context*/) const noexcept {}

    /// nothrow(): for the awaiter, before it suspends.
    void pass_errors() noexcept { passes_errors = true; }

    delegate() = default;
    explicit delegate(frame& of) noexcept : parent(&of) {}
    delegate(const delegate&) = delete;
    delegate& operator=(const delegate&) = delete;

protected:
    ~delegate() = default;

    /// Begins to wait: from now on the driver consults this, at once, and the first step sends None.
    void suspend(frame& awaiting) noexcept;
    /// What is awaited has ended, in `error` unless that is null. Returns whether `parent` is resumed, to raise it say;
    /// otherwise `parent` has ended in it too, and it is moved there.
    bool finish(std::exception_ptr& error) noexcept;
};

/// delegate::outlasts(), of what may be null: then nothing is awaited.
inline bool outlasted_by(delegate* awaited) noexcept { return awaited != nullptr && awaited->outlasts(); }

/// What a frame is linked to, as it was when it was looked at.
class chain_link {
public:
    explicit chain_link(std::uintptr_t link) noexcept : link_(link) {}
    bool created() const noexcept { return link_ == 0; }
    /// Whether it is a root at rest, or has not started.
    bool rests() const noexcept { return (link_ & 1) == 0; }
    /// Of a root or leaf.
    bool runs() const noexcept { return (link_ & 1) != 0; }
    /// Of the root or the leaf of a running chain.
    activation& step() const noexcept { return *reinterpret_cast<activation*>(link_ & ~std::uintptr_t{7}); }
    driver_traits driver() const noexcept { return {(link_ & 2) != 0, (link_ & 4) != 0}; }
    /// Of a root at rest.
    frame* leaf() const noexcept { return reinterpret_cast<frame*>(link_); }
    /// The same; null of what is none, or has not started.
    frame* suspended_leaf() const noexcept { return rests() ? leaf() : nullptr; }

private:
    std::uintptr_t link_;
};

/// The head of every coroutine's frame: first base of its promise.
struct frame {
    native_link* up = nullptr;    ///< those who await or observe this frame; the first may have it attached
    delegate* awaiting = nullptr; ///< what it waits for, if the leaf has to consult it or to show it
    union {                       // what left the body
        std::exception_ptr error; ///< if it has `failed`
        alignas(void*) std::byte result[sizeof(void*)]; ///< otherwise of returning_promise, for a result that fits
    };

private:
    // 0: created. Root at rest: the leaf. Root or leaf of a running chain: the activation, with the low bit set and
    // the driver's traits in the next two.
    // Others: meaningless, but with the low bit set, so that one look tells a root at rest from all that is not.
    // Relaxed atomics cost nothing, and let a second thread see that it comes at the wrong time.
    std::atomic<void*> link_{nullptr};

public:
    frame** owner = nullptr;    ///< the coroutine object's pointer to this frame; null once that is gone
    std::source_location where; ///< the coroutine function
    std::uint32_t line = 0;     ///< of the co_await or co_yield that it came to last
    const frame_kind kind;
    bool failed = false;               ///< has ended in `error`
    bool passes_errors = false;        ///< it is suspended in the co_yield of a nothrow()
    const bool awaits_objects : 1;     ///< the layer of its Yield type has native_links that translate
    bool borrows : 1 = false;          ///< frame_notes::borrows is true of its function
    bool noted : 1 = false;            ///< it is a noted_frame, in whose notes that layer has to look
    bool returned : 1 = false;         ///< there is a result that has to be destroyed
    const std::uint8_t unused : 4 = 0; ///< fills the byte, so that it is set without being read

    frame(frame_kind of, bool with_objects) noexcept : kind(of), awaits_objects(with_objects) {}
    ~frame() {
        if (failed) [[unlikely]] {
            std::destroy_at(&error);
        }
    }
    frame(const frame&) = delete;
    frame& operator=(const frame&) = delete;

    chain_link link() const noexcept {
        return chain_link(reinterpret_cast<std::uintptr_t>(link_.load(std::memory_order_relaxed)));
    }
    bool created() const noexcept { return link().created(); }
    activation& step() const noexcept { return link().step(); }
    frame* leaf_at_rest() const noexcept { return link().leaf(); }
    bool runs_as_root() const noexcept { return link().runs(); }
    void join(activation& step, driver_traits driver) noexcept {
        store(reinterpret_cast<char*>(&step) + (driver.bits() | 1));
    }
    void rest(frame* leaf) noexcept { store(leaf); }
    /// Takes over the place of `other` in the running chain.
    void follow(const frame& other) noexcept { store(other.link_.load(std::memory_order_relaxed)); }
    /// As the root or leaf of a running chain: who wants to know of errors, null if nobody does.
    error_observer* observer() const noexcept {
        const chain_link running = link();
        return running.driver().observed ? running.step().observer : nullptr;
    }
    /// As the leaf of a running chain: `error` is about to be raised here.
    void tell_arrival(const std::exception_ptr& arriving) noexcept {
        if (error_observer* const told = observer(); told != nullptr) [[unlikely]] {
            told->arrives(*this, arriving);
        }
    }
    bool attached() const noexcept;
    /// The coroutine whose promise begins with this.
    std::coroutine_handle<> handle() noexcept { return std::coroutine_handle<frame>::from_promise(*this); }
    /// Ends in an error, as the leaf of a running chain: hand_over() comes next.
    void fail(std::exception_ptr left) noexcept;
    /// For a frame without a result.
    void set_error(std::exception_ptr left) noexcept {
        if (failed) [[unlikely]] {
            std::destroy_at(&error);
        }
        std::construct_at(&error, std::move(left));
        failed = true;
    }
    /// Null if there is none.
    std::exception_ptr take_error() noexcept {
        if (!failed) {
            return nullptr;
        }
        failed = false;
        std::exception_ptr taken(std::move(error));
        std::destroy_at(&error);
        return taken;
    }
    /// Where it is: the line of the co_await or co_yield that it came to last, that of the function if there is none.
    std::uint32_t current_line() const noexcept { return line != 0 ? line : where.line(); }

private:
    /// Tells of the error that it has ended in.
    void tell(error_observer& observer) noexcept;
    void store(void* link) noexcept { link_.store(link, std::memory_order_relaxed); }
};

/// One coroutine awaiting another, or a generator that yields from another. While attached, the child's frames are part
/// of the parent's chain; while not (somebody else drives the child just now), the parent is the leaf of its chain and
/// consults this delegate.
struct native_link : delegate {
    enum class bond : std::uint8_t { none, attached, ended };
    enum class ends : std::uint8_t { none, errors, all };

    bond to_child = bond::none;    ///< ended: the child has, attached, and whoever takes its result destroys it
    ends told = ends::none;        ///< which ends of the child advance() deals with, before `parent` is resumed
    misuse failure = misuse::none; ///< why awaiting cannot go on, for await_resume
    const frame_kind child_kind;   ///< known also when the child is gone
    const misuse gone;             ///< what that is then; none for a generator, whose result is empty
    bool joinable = false;         ///< of the layer above: what it awaits has frames that can be part of the chain
    frame* child = nullptr;        ///< it has this in its list; null once it is gone
    native_link* next = nullptr;

    native_link(frame_kind kind, misuse when_gone) noexcept : child_kind(kind), gone(when_gone) {}
    /// The same, registered as awaiting `target`, which is at rest and in no chain: g++ makes the awaiters of all the
    /// co_awaits in an expression before the first suspends, and what that runs may start or end `target`.
    native_link(frame_kind kind, misuse when_gone, frame& awaiter, frame& target) noexcept
        : delegate(awaiter), child_kind(kind), gone(when_gone), child(&target), next(std::exchange(target.up, this)) {}
    ~native_link() { forget(); }

    /// Registers as awaiting `target` and makes it part of the chain that `awaiter` is the running leaf of.
    void attach(frame& awaiter, frame& target) noexcept;
    /// The same with `parent` and `child`, registered already. Leaves it to advance() if something has happened to the
    /// child since.
    void attach() noexcept;
    bool attached() const noexcept { return to_child == bond::attached; }
    bool ended() const noexcept { return to_child == bond::ended; }
    /// Undoes attach(): the child is left to itself.
    void forget() noexcept;
    /// Whether the child belongs to an object of the layer above, in whose terms `parent` gets all that comes of it.
    bool translates() const noexcept { return told == ends::all; }
    /// Whether advance() deals with an end in an error alone, by passing it on to `parent`.
    bool only_passes_errors() const noexcept { return told == ends::errors; }
    /// As of a delegate. No end in an error resumes `parent`.
    void pass_errors() noexcept {
        passes_errors = true;
        told = translates() ? ends::all : ends::errors;
    }

    // All virtual functions are defined here: otherwise the vtable, and with it the whole chain, is put into each
    // object file.
    void advance(activation& step) noexcept override { advance_child(step); }
    std::exception_ptr close() noexcept override { return close_child(); }
    void destroy_awaited() noexcept override { destroy_child(); }
    frame* awaited_frame() const noexcept override { return child; }
    const frame* next_level() const noexcept final { return attached() ? child : nullptr; }
    std::string awaited_type() const override {
        return child_kind == frame_kind::coroutine ? "coroutine" : "generator";
    }
    /// The child, part of a chain that is being closed, was resumed by `step` to end. Takes what came of that; returns
    /// the error for `parent`, null if there is none.
    virtual std::exception_ptr take_closed(frame& closed, activation& step) noexcept {
        return take_closed_child(closed, step);
    }

private:
    void advance_child(activation& step) noexcept;
    void pass_error() noexcept;
    std::exception_ptr close_child() noexcept;
    void destroy_child() noexcept;
    std::exception_ptr take_closed_child(frame& closed, activation& step) noexcept;
    /// For advance(): the child cannot be resumed. `parent` is, to raise `failure`, unless it passes errors.
    void refuse_child(activation& step, bool is_gone) noexcept;
};

/// A delegate that keeps what comes of what is awaited: a Result, or in its place the error that it has ended in.
template <class Delegate, class Result>
struct failing : Delegate {
    /// The error that await_resume() would throw, which counts as delivered then; null if there is none.
    std::exception_ptr take_failure() noexcept {
        activation& step = this->parent->step();
        if (step.injected != nullptr) {
            return step.take_injected();
        }
        return this->failed ? std::move(error_) : nullptr;
    }

protected:
    template <class... Args>
    explicit failing(Args&&... args) noexcept : Delegate(std::forward<Args>(args)...), result_() {}
    ~failing() {
        if (this->failed) [[unlikely]] {
            std::destroy_at(&error_);
        } else {
            std::destroy_at(&result_);
        }
    }

    /// Until end() has been given an error; empty at first.
    Result& result() noexcept { return result_; }
    /// finish(), which keeps the error for await_resume().
    bool end(std::exception_ptr error) noexcept {
        const bool resumed = this->finish(error);
        if (resumed && error) {
            std::destroy_at(&result_);
            std::construct_at(&error_, std::move(error));
            this->failed = true;
        }
        return resumed;
    }
    /// For await_resume().
    void rethrow_failure() {
        if (const std::exception_ptr error = take_failure()) {
            std::rethrow_exception(error);
        }
    }

private:
    union {
        Result result_;
        std::exception_ptr error_;
    };
};

inline bool frame::attached() const noexcept { return up != nullptr && up->attached(); }

inline void frame::fail(std::exception_ptr left) noexcept {
    set_error(std::move(left));
    if (error_observer* const told = observer(); told != nullptr) [[unlikely]] {
        tell(*told);
    }
}

ISTHMUS_NOINLINE inline void frame::tell(error_observer& observer) noexcept {
    observer.leaves(*this, error);
    frame* awaiter = nullptr;
    {
        const chain_lock lock;
        awaiter = attached() && !up->translates() ? up->parent : nullptr;
    }
    if (awaiter != nullptr) {
        observer.arrives(*awaiter, error);
    }
}

inline void delegate::suspend(frame& awaiting) noexcept {
    parent = &awaiting;
    parent->awaiting = this;
}

} // namespace isthmus::inline v1::detail
