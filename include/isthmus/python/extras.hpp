// isthmus/python/extras.hpp — what few coroutine objects have, at the price of one pointer in all of them.
// SPDX-License-Identifier: MIT
#pragma once

#include "turn.hpp"

#include <cstdint>
#include <new>
#include <utility>

namespace isthmus::inline v1::py::detail {

/// The object that a coroutine object keeps alive, `self` of a bound method, and what else was given to it. Needs the
/// GIL, or an attached thread state: then any thread may use it.
class extras {
public:
    /// Null where nobody has set them.
    struct fields {
        PyObject* keep_alive = nullptr; ///< must live as long as the frame
        PyObject* name = nullptr;       ///< then it is not the function's
        PyObject* qualname = nullptr;
        PyObject* origin = nullptr;
        int result_policy = 0; ///< the binding library's return value policy
    };
    using field = PyObject* fields::*;

    /// Takes over the reference, which may be null.
    explicit extras(PyObject* keep_alive) noexcept : word_(reinterpret_cast<std::uintptr_t>(keep_alive)) {}
    extras(const extras&) = delete;
    extras& operator=(const extras&) = delete;

    /// Whether nothing was given to it, and no finalizer has run.
    bool empty() const noexcept { return word_ == 0; }
    /// The finalizer of the coroutine object runs, which it does once.
    void note_finalized() noexcept {
        const field_lock lock;
        word_ |= finalized_bit;
    }
    /// Borrowed; null if there is none.
    PyObject* keep_alive() const noexcept {
        const field_lock lock;
        return apart() ? all().keep_alive : alone();
    }
    void drop_keep_alive() noexcept {
        if (word_ != 0) [[unlikely]] {
            PyObject* before = nullptr;
            {
                const field_lock lock;
                if (apart()) {
                    before = std::exchange(all().keep_alive, nullptr);
                } else {
                    before = alone();
                    word_ &= bits;
                }
            }
            Py_XDECREF(before);
        }
    }
    int result_policy() const noexcept {
        const field_lock lock;
        return apart() ? all().result_policy : 0;
    }
    /// A new reference; null if there is none.
    PyObject* get(field which) const noexcept {
        const field_lock lock;
        return apart() ? Py_XNewRef(all().*which) : nullptr;
    }

    /// False if there is no memory, with the exception set.
    bool set_result_policy(int policy) noexcept {
        const field_lock lock;
        if (!make_apart()) {
            return false;
        }
        all().result_policy = policy;
        return true;
    }
    /// The same. Makes a reference of its own.
    bool set(field which, PyObject* value) noexcept {
        PyObject* before = nullptr;
        {
            const field_lock lock;
            if (!make_apart()) {
                return false;
            }
            before = std::exchange(all().*which, Py_NewRef(value));
        }
        Py_XDECREF(before);
        return true;
    }

    int traverse(visitproc visit, void* arg) const noexcept {
        if (!apart()) {
            Py_VISIT(alone());
            return 0;
        }
        for (const field each : references) {
            Py_VISIT(all().*each);
        }
        return 0;
    }
    void clear() noexcept {
        if (word_ != 0) [[unlikely]] {
            clear_all();
        }
    }

private:
    static constexpr field references[] = {&fields::keep_alive, &fields::name, &fields::qualname, &fields::origin};

    static constexpr std::uintptr_t apart_bit = 1;
    static constexpr std::uintptr_t finalized_bit = 2;
    static constexpr std::uintptr_t bits = apart_bit | finalized_bit;

    bool apart() const noexcept { return (word_ & apart_bit) != 0; }
    fields& all() const noexcept { return *reinterpret_cast<fields*>(word_ & ~bits); }
    /// Unless apart(): the object that is kept alive.
    PyObject* alone() const noexcept { return reinterpret_cast<PyObject*>(word_ & ~bits); }
    bool make_apart() noexcept {
        if (apart()) {
            return true;
        }
        auto* const made = new (std::nothrow) fields{.keep_alive = alone()};
        if (made == nullptr) {
            PyErr_NoMemory();
            return false;
        }
        word_ = reinterpret_cast<std::uintptr_t>(made) | apart_bit | (word_ & finalized_bit);
        return true;
    }
    void clear_all() noexcept {
        std::uintptr_t before = 0;
        {
            const field_lock lock;
            before = std::exchange(word_, word_ & finalized_bit);
        }
        extras held(reinterpret_cast<PyObject*>(before));
        if (!held.apart()) {
            Py_XDECREF(held.alone());
            return;
        }
        const fields dropped = held.all();
        delete &held.all();
        for (const field each : references) {
            Py_XDECREF(dropped.*each);
        }
    }

    std::uintptr_t word_; // the object that is kept alive, or `fields` with apart_bit; and finalized_bit
};

} // namespace isthmus::inline v1::py::detail
