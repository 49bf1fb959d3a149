// isthmus/python/traceback.hpp — the entries of C++ coroutines in the tracebacks of Python exceptions.
// SPDX-License-Identifier: MIT
//
// A level of a chain gets its entry when an exception is raised in it: where the exception comes from what it awaits or
// from the driver, at once, so that a handler in C++ sees the entry as one in Python does; where it is raised in the
// body, when it leaves that. For a C++ exception, which has no traceback, the levels are kept until it becomes a Python
// one at the end of the step.
#pragma once

#include "../detail/frame.hpp"
#include "code.hpp"

#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <source_location>
#include <utility>
#include <vector>

namespace isthmus::inline v1::py::detail {

using isthmus::detail::activation;
using isthmus::detail::frame;

/// Adds an entry above those in the traceback of `exception` (5.13). Without memory, or when the interpreter is almost
/// gone, there is an entry less.
ISTHMUS_COLD inline void add_traceback_entry(PyObject* exception, const std::source_location& function,
                                             std::uint32_t line) noexcept {
    const saved_error outer;
    object entry;
    try {
        interpreter_state& state = interpreter_state::get();
        entry = into_python([&] { return frame_for(state, function, line); });
    } catch (const std::exception&) { // there is no state any more
        entry.reset();
    } catch (const base_exception&) {
        entry.reset();
    }
    if (!entry) {
        PyErr_Clear();
        return;
    }
    set_raised(object::borrow(exception));
    PyTraceBack_Here(reinterpret_cast<PyFrameObject*>(entry.ptr()));
    static_cast<void>(take_raised());
}

/// Whether the newest entry in the traceback of `exception` is one of the function of `f`.
ISTHMUS_COLD inline bool newest_entry_is_of(PyObject* exception, const frame& f) noexcept {
    const object newest = object::steal(PyException_GetTraceback(exception));
    if (!newest || !PyTraceBack_Check(newest.ptr())) { // before 3.12, None stays None
        return false;
    }
    const object code = object::steal(
        reinterpret_cast<PyObject*>(PyFrame_GetCode(reinterpret_cast<PyTracebackObject*>(newest.ptr())->tb_frame)));
    const auto& fields = *reinterpret_cast<PyCodeObject*>(code.ptr());
    if (fields.co_firstlineno != static_cast<int>(f.where.line())) {
        return false;
    }
    const char* const file = PyUnicode_AsUTF8(fields.co_filename);
    if (file == nullptr) {
        PyErr_Clear();
        return false;
    }
    return std::strcmp(file, f.where.file_name()) == 0;
}

/// Whether a place where something was called is in the body of the function of `f`.
ISTHMUS_COLD inline bool is_in_body(const std::source_location& place, const frame& f) noexcept {
    return std::strcmp(place.file_name(), f.where.file_name()) == 0 &&
           isthmus::detail::plain_name(place.function_name()) == isthmus::detail::plain_name(f.where.function_name());
}

/// Of one step that Python drives. Trivially destroyed, so that a step without an error does nothing for it at its end.
class traceback_recorder final : public isthmus::detail::error_observer {
    struct level {
        const frame* of;
        std::source_location function;
        std::uint32_t line;
    };
    /// The levels that a C++ exception came through, from where it was raised.
    struct way {
        explicit way(std::exception_ptr passing) noexcept : error(std::move(passing)) {}
        std::exception_ptr error;
        std::vector<level> levels;
    };

public:
    ISTHMUS_COLD void arrives(frame& at, const std::exception_ptr& error) noexcept override {
        if (const auto* const raised = isthmus::detail::exception_cast<base_exception>(error)) {
            if (attached()) {
                add_traceback_entry(raised->value().ptr(), at.where, at.current_line());
            }
        } else {
            keep(error, at);
        }
    }
    /// An exception that was raised again has the entry of its arrival, also if something else was awaited meanwhile:
    /// in C++ that is how `finally` is written.
    ISTHMUS_COLD void leaves(frame& ended, const std::exception_ptr& error) noexcept override {
        if (const auto* const raised = isthmus::detail::exception_cast<base_exception>(error)) {
            if (attached() && !newest_entry_is_of(raised->value().ptr(), ended)) {
                const std::source_location& from = raised->raised_at();
                const std::uint32_t line = is_in_body(from, ended) ? from.line() : ended.current_line();
                add_traceback_entry(raised->value().ptr(), ended.where, line);
            }
        } else if (way_ == nullptr || way_->levels.empty() || way_->levels.back().of != &ended ||
                   way_->error != error) {
            keep(error, ended);
        }
    }

    /// Adds the entries of the C++ exception `error` to Python's current exception, which was made of it.
    ISTHMUS_COLD void add_entries(const std::exception_ptr& error) noexcept {
        if (way_ == nullptr || way_->error != error || way_->levels.empty()) {
            return;
        }
        object made = take_raised();
        for (const level& passed : way_->levels) {
            add_traceback_entry(made.ptr(), passed.function, passed.line);
        }
        set_raised(std::move(made));
    }

    void forget() noexcept {
        if (way_ != nullptr) [[unlikely]] {
            drop(std::exchange(way_, nullptr));
        }
    }

private:
    ISTHMUS_COLD ISTHMUS_NOINLINE static void drop(way* dropped) noexcept { delete dropped; }
    ISTHMUS_COLD void keep(const std::exception_ptr& error, const frame& at) noexcept {
        try {
            if (way_ == nullptr || way_->error != error) {
                forget();
                way_ = new way(error);
            }
            way_->levels.push_back({&at, at.where, at.current_line()});
        } catch (const std::bad_alloc&) { // then it has none
            forget();
        }
    }

    way* way_ = nullptr; ///< of the last C++ exception
};

/// A step that Python drives.
struct traced_step : activation {
    static constexpr isthmus::detail::driver_traits driver{.observed = true};

    traceback_recorder traceback;

    traced_step() noexcept { observer = &traceback; }
    ~traced_step() { traceback.forget(); }
    traced_step(const traced_step&) = delete;
    traced_step& operator=(const traced_step&) = delete;
};

} // namespace isthmus::inline v1::py::detail
