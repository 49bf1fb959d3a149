// bench/cpp/errors.cpp — what it costs to throw into a chain, and to end one before it has ended by itself.
// SPDX-License-Identifier: MIT
#include "coroutines.hpp"
#include "suite.hpp"

#include <optional>
#include <tuple>

namespace bench {

void register_errors() {
    static const std::exception_ptr error = std::make_exception_ptr(std::runtime_error("thrown in"));
    for (const long depth : error_depths) {
        const auto plain = [depth] { return started(plain_levels(depth)); };
        const auto nothrow = [depth] { return started(nothrow_levels(depth)); };

        // Out of the root: through every level.
        add_once_each(at("throw to root", depth), "throw_", plain, [](failing& each) { throw_through(each, error); });
        add_once_each(at("throw to root", depth), "try_throw", plain,
                      [](failing& each) { try_throw_through(each, error); });
        add_once_each(at("throw to root", depth), "try_throw, nothrow frames", nothrow,
                      [](failing& each) { try_throw_through(each, error); });

        // Caught at the leaf, which goes on.
        add(at("throw to leaf", depth), "throw_", [depth](benchmark::State& state) {
            failing chain = started(depth == 0 ? catching() : catching_levels(depth));
            for (auto _ : state) {
                benchmark::DoNotOptimize(chain.throw_(error).yielded());
            }
        });

        // The objects are optional, so that they can be destroyed where the clock runs.
        const auto destructible = [depth] { return std::optional<failing>(started(plain_levels(depth))); };
        add_once_each(at("close", depth), "close()", plain, [](failing& each) { each.close(); });
        add_once_each(at("close", depth), "try_close()", plain, [](failing& each) { std::ignore = each.try_close(); });
        add_once_each(at("close", depth), "destruction", destructible,
                      [](std::optional<failing>& each) { each.reset(); });
    }
}

} // namespace bench
