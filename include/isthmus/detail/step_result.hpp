// isthmus/detail/step_result.hpp — what a step gives whoever drives a coroutine: a step or an outcome.
// SPDX-License-Identifier: MIT
#pragma once

#include "promise.hpp"

#include <exception>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::detail {

/// Makes a Result, which is step<Yield, Return> or outcome<Yield, Return>, of a step that has been made or refused. An
/// error is thrown where the Result is a step.
template <frame_kind Kind, class Return, class Yield, class Send, class Result>
struct step_result {
    /// After run_step(): the frame has yielded or ended.
    static Result settle(frame& f, activation& step) {
        return step.yielded != nullptr ? settle_yield(f, step) : ended(f);
    }
    static Result settle_yield(frame& f, activation& step) {
        if constexpr (std::is_trivially_copyable_v<Result> && noexcept(yielded(step))) { // saves no register for it
            Result result = yielded(step);
            if (bring_to_rest(f, step)) [[unlikely]] {
                return discard_after(f, std::move(result));
            }
            return result;
        } else {
            const at_rest guard{f, step};
            return yielded(step);
        }
    }

    /// After throw_step(), which what is awaited may also refuse (5.22).
    static Result settle_thrown(frame& f, activation& step) {
        if (step.yielded == &step.refused) [[unlikely]] {
            const at_rest guard{f, step};
            return fail(step.leaf->take_error());
        }
        return settle(f, step);
    }

    static Result fail(std::exception_ptr error) {
        if constexpr (throws) {
            std::rethrow_exception(std::move(error));
        } else {
            return Result(std::in_place_index<2>, std::move(error));
        }
    }

    static Result refuse(misuse code) {
        if constexpr (throws) {
            throw_misuse(code, Kind);
        } else {
            return Result(std::in_place_index<2>, make_misuse(code, Kind));
        }
    }

    /// A finished generator has the empty value of Return for send(), if there is one (15.7).
    static Result refuse_send(misuse code) {
        if constexpr (Kind == frame_kind::generator) {
            if (code == misuse::already_finished) {
                if constexpr (empty_value<Return>::exists) {
                    return Result(std::in_place_index<1>, empty_value<Return>::make());
                } else {
                    code = misuse::generator_exhausted;
                }
            }
        }
        return refuse(code);
    }

private:
    ISTHMUS_COLD ISTHMUS_NOINLINE static Result discard_after(frame& f, Result result) noexcept {
        discard(&f);
        return result;
    }

    static constexpr bool throws = std::is_same_v<Result, step<Yield, Return>>;

    ISTHMUS_NOINLINE static Result ended(frame& f) {
        auto& ended = static_cast<promise_base<Return, Yield, Send>&>(f);
        const finished guard{f};
        if (ended.failed) [[unlikely]] {
            return fail(ended.take_error());
        }
        return Result(std::in_place_index<1>, std::move(ended.value()));
    }

    static constexpr bool yields_without_throwing() noexcept {
        if constexpr (is_none<Yield>) {
            return true;
        } else if constexpr (empty_value<Yield>::exists) {
            return std::is_nothrow_constructible_v<stored<Yield>, Yield&&> && noexcept(empty_value<Yield>::make());
        } else {
            return std::is_nothrow_constructible_v<stored<Yield>, Yield&&>;
        }
    }
    static Result yielded(activation& step) noexcept(yields_without_throwing()) {
        if constexpr (is_none<Yield>) {
            return Result(std::in_place_index<0>);
        } else {
            if constexpr (empty_value<Yield>::exists) {
                if (step.yielded == &step.none_yielded) {
                    return Result(std::in_place_index<0>, empty_value<Yield>::make());
                }
            }
            auto* const value = static_cast<std::remove_reference_t<Yield>*>(step.yielded);
            return Result(std::in_place_index<0>, static_cast<Yield&&>(*value));
        }
    }
};

} // namespace isthmus::inline v1::detail
