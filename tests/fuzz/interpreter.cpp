// tests/fuzz/interpreter.cpp — runs random programs on Isthmus's public API and writes their traces.
// SPDX-License-Identifier: MIT
//
// Reads programs from standard input, one a line (program.hpp says how they look), and writes the trace of each, ended
// by a line with a dot; see fuzz.py.
//
// Each function of a program is one coroutine or generator. C++ cannot co_await in a catch block, so a small stack
// machine (`machine`) walks the blocks of a function, while its coroutine only suspends and passes on what came of it.

#include "machine.hpp"

#include <isthmus/isthmus.hpp>

#include <cstddef>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

namespace fuzz {
namespace {

chain run_coroutine(context* ctx, std::size_t index, thing* near);
plain_generator run_generator(context* ctx, std::size_t index, thing* near);

/// A new instance of a function.
thing make(context* ctx, std::size_t index, thing* near) {
    switch (ctx->code.functions[index].form) {
    case 'g':
        return isthmus::from_generator(run_generator(ctx, index, near));
    case 'x':
        return erased(run_coroutine(ctx, index, near));
    default:
        return run_coroutine(ctx, index, near);
    }
}

/// The variables of a function that begins to run.
class made_variables : public variables {
public:
    made_variables(context* ctx, const function& f) : variables(f.variables.size()) {
        for (std::size_t i = 0; i < f.variables.size(); ++i) {
            at(i) = make(ctx, f.variables[i], &at(i));
        }
    }
};

/// A function that cannot yield: its coroutine has no Yield type, and sits in a chain that has one.
plain_chain run_plain(context* ctx, std::size_t index, thing* near) {
    variables own(0);
    machine m(*ctx, index, near, own);
    while (const statement* s = m.next()) {
        std::exception_ptr error;
        try {
            m.got(*s, co_await run_plain(ctx, s->index, near));
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            m.raise(std::move(error));
        }
    }
    co_return m.result();
}

// In all that follows, what is awaited is a named variable or the operand itself: each is destroyed when the await is
// over, as Python drops it then.

#define FUZZ_YIELD                                                                                                     \
    {                                                                                                                  \
        value sent;                                                                                                    \
        if (s->number % 2 == 0) {                                                                                      \
            sent = co_yield s->value;                                                                                  \
        } else {                                                                                                       \
            sent = co_yield int(s->value);                                                                             \
        }                                                                                                              \
        m.sent(*s, sent);                                                                                              \
    }                                                                                                                  \
    break
#define FUZZ_AWAIT(awaited)                                                                                            \
    {                                                                                                                  \
        const value result = co_await (awaited);                                                                       \
        m.got(*s, result);                                                                                             \
    }                                                                                                                  \
    break
#define FUZZ_AWAIT_OBSERVED(awaited)                                                                                   \
    if (s->how == 'n') {                                                                                               \
        const value result = co_await isthmus::nothrow(awaited);                                                       \
        m.got(*s, result);                                                                                             \
    } else if (s->how == 'o') {                                                                                        \
        const auto outcome = co_await isthmus::as_outcome(awaited);                                                    \
        m.got_outcome(*s, outcome);                                                                                    \
    } else {                                                                                                           \
        const value result = co_await (awaited);                                                                       \
        m.got(*s, result);                                                                                             \
    }                                                                                                                  \
    break
#define FUZZ_DUCKS(X)                                                                                                  \
    X(0);                                                                                                              \
    X(1);                                                                                                              \
    X(2);                                                                                                              \
    X(3);                                                                                                              \
    X(4);                                                                                                              \
    X(5);                                                                                                              \
    X(6)

/// Any other function. `near` is the slot of the nearest coroutine that lives in a variable, or the root.
chain run_coroutine(context* ctx, std::size_t index, thing* near) {
    made_variables own(ctx, ctx->code.functions[index]);
    machine m(*ctx, index, near, own);
    while (const statement* s = m.next()) {
        std::exception_ptr error;
        try {
            switch (s->what) {
            case 'y':
                FUZZ_YIELD;
            case 'K': {
                thing& kept = ctx->kept.emplace_back(make(ctx, s->index, &ctx->root));
                if (chain* const c = kept.as_chain()) {
                    FUZZ_AWAIT(*c);
                }
                if (generator* const g = kept.as_generator()) {
                    FUZZ_AWAIT(*g);
                }
                FUZZ_AWAIT(kept.as_erased());
            }
            case 'a':
            case 'W':
            case 'C': {
                const char form = ctx->code.functions[s->index].form;
                const char via = s->what == 'W' ? 'w' : s->via;
                switch (via) {
                case 'w':
                    if (form == 'x') {
                        FUZZ_AWAIT(erased(run_coroutine(ctx, s->index, near)).await());
                    }
                    if (form == 'c') {
                        FUZZ_AWAIT(run_coroutine(ctx, s->index, near).await());
                    }
                    [[fallthrough]];
                case 'd':
                    if (form == 'p') {
                        FUZZ_AWAIT(run_plain(ctx, s->index, near));
                    }
                    if (form == 'g') {
                        FUZZ_AWAIT_OBSERVED(isthmus::from_generator(run_generator(ctx, s->index, near)));
                    }
                    if (form == 'c') {
                        FUZZ_AWAIT_OBSERVED(run_coroutine(ctx, s->index, near));
                    }
                    [[fallthrough]];
                case 'x':
                    FUZZ_AWAIT_OBSERVED(erase(make(ctx, s->index, near)));
                case 'y':
                    FUZZ_AWAIT(erase(make(ctx, s->index, near)).await());
                case 'z':
                    FUZZ_AWAIT(erased(full_duck(make(ctx, s->index, near))));
#define FUZZ_DUCK(members)                                                                                             \
    case '0' + members: {                                                                                              \
        duck<members> awaited(make(ctx, s->index, near));                                                              \
        FUZZ_AWAIT(awaited);                                                                                           \
    }
                    FUZZ_DUCKS(FUZZ_DUCK);
#undef FUZZ_DUCK
                default:
                    FUZZ_AWAIT_OBSERVED(full_duck(make(ctx, s->index, near)));
                }
                break;
            }
            case 'A':
            case 'w':
            case 'B': {
                thing& found = m.find(s->on);
                chain* const c = found.as_chain();
                generator* const g = found.as_generator();
                switch (s->what == 'w' ? 'w' : s->via) {
                case 'w':
                    if (c != nullptr) {
                        FUZZ_AWAIT(c->await());
                    }
                    if (g == nullptr) {
                        FUZZ_AWAIT(found.as_erased().await());
                    }
                    [[fallthrough]];
                case 'd':
                    if (g != nullptr) {
                        FUZZ_AWAIT_OBSERVED(*g);
                    }
                    if (c != nullptr) {
                        FUZZ_AWAIT_OBSERVED(*c);
                    }
                    FUZZ_AWAIT_OBSERVED(found.as_erased());
                case 'x':
                    FUZZ_AWAIT_OBSERVED(erase(found));
                case 'y':
                    FUZZ_AWAIT(erase(found).await());
                case 'z':
                    FUZZ_AWAIT(erased(full_duck(found)));
#define FUZZ_DUCK(members)                                                                                             \
    case '0' + members: {                                                                                              \
        duck<members> awaited(found);                                                                                  \
        FUZZ_AWAIT(awaited);                                                                                           \
    }
                    FUZZ_DUCKS(FUZZ_DUCK);
#undef FUZZ_DUCK
                default:
                    FUZZ_AWAIT_OBSERVED(full_duck(found));
                }
                break;
            }
            default: // 'n'
                own.at(s->index) = make(ctx, s->other, &own.at(s->index));
            }
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            m.raise(std::move(error));
        }
    }
    if (m.error() && ctx->code.raises_without_throw) {
        co_yield isthmus::with_error(m.error());
    }
    co_return m.result();
}

#define FUZZ_YIELD_FROM(sub)                                                                                           \
    {                                                                                                                  \
        const value result = co_yield isthmus::yield_from(sub);                                                        \
        m.got(*s, result);                                                                                             \
    }                                                                                                                  \
    break

/// The same as a generator. It yields from what a coroutine awaits; from a coroutine, as Python's `yield from` does in
/// a generator-based coroutine, by driving it as an await-iterator does, without a look at its state (7.9).
plain_generator run_generator(context* ctx, std::size_t index, thing* near) {
    made_variables own(ctx, ctx->code.functions[index]);
    machine m(*ctx, index, near, own);
    while (const statement* s = m.next()) {
        std::exception_ptr error;
        try {
            switch (s->what) {
            case 'y':
                FUZZ_YIELD;
            case 'n':
                own.at(s->index) = make(ctx, s->other, &own.at(s->index));
                break;
            default: {
                thing temporary;
                thing* from = &temporary;
                if (s->what == 'K') {
                    from = &ctx->kept.emplace_back(make(ctx, s->index, &ctx->root));
                } else if (s->what == 'A' || s->what == 'w' || s->what == 'B') {
                    from = &m.find(s->on);
                } else {
                    temporary = make(ctx, s->index, near);
                }
                switch (s->via) {
                case 'd':
                    if (chain* const c = from->as_chain()) {
                        auto iterator = c->await();
                        FUZZ_YIELD_FROM(iterator);
                    }
                    if (generator* const g = from->as_generator()) {
                        FUZZ_YIELD_FROM(*g);
                    }
                    FUZZ_YIELD_FROM(from->as_erased());
                case 'x':
                case 'y': {
                    erased sub(erase(*from));
                    FUZZ_YIELD_FROM(sub);
                }
                case 'z': {
                    erased sub((full_duck(*from)));
                    FUZZ_YIELD_FROM(std::move(sub));
                }
#define FUZZ_DUCK(members)                                                                                             \
    case '0' + members: {                                                                                              \
        duck<members> sub(*from);                                                                                      \
        FUZZ_YIELD_FROM(sub);                                                                                          \
    }
                    FUZZ_DUCKS(FUZZ_DUCK);
#undef FUZZ_DUCK
                default: {
                    full_duck sub(*from);
                    FUZZ_YIELD_FROM(std::move(sub));
                }
                }
            }
            }
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            m.raise(std::move(error));
        }
    }
    if (m.error() && ctx->code.raises_without_throw) {
        co_yield isthmus::with_error(m.error());
    }
    co_return m.result();
}

#undef FUZZ_YIELD
#undef FUZZ_AWAIT
#undef FUZZ_AWAIT_OBSERVED
#undef FUZZ_DUCKS
#undef FUZZ_YIELD_FROM

// ---- the driver ----------------------------------------------------------------------------------------------------

constexpr int closes = 4; // how often a coroutine that ignores it is closed at the end

void close(context& ctx, std::string_view name, thing& driven) {
    const operation op;
    for (int i = 0; i < closes && driven.state() == isthmus::coroutine_state::suspended; ++i) {
        const driving done(ctx.how, driven, op);
        ctx.trace.append(name).append(" ").append(done.text) += '\n';
    }
}

void run(const program& code, bool value_of_close, std::string& trace) {
    context ctx{code, {code.mode, value_of_close}, trace, {}, {}, {}};
    ctx.root = make(&ctx, 0, &ctx.root);
    for (const std::size_t index : code.shared) {
        ctx.shared.push_back(make(&ctx, index, &ctx.root));
    }
    for (const auto& [on, op] : code.operations) {
        thing& driven = on < 0 ? ctx.root : ctx.shared.at(static_cast<std::size_t>(on));
        if (op.verb == 'x') {
            driven = thing();
            trace += "driver let go\n";
        } else {
            const driving done(ctx.how, driven, op);
            trace.append("driver ").append(done.text) += '\n';
        }
    }
    close(ctx, "root", ctx.root);
    for (thing& shared : ctx.shared) {
        close(ctx, "shared", shared);
    }
    for (std::size_t i = 0; i < ctx.kept.size(); ++i) { // grows meanwhile
        close(ctx, "kept", ctx.kept[i]);
    }
    // What is still suspended is destroyed, in either order.
    if (code.mode == 0) {
        ctx.kept.clear();
        ctx.shared.clear();
    }
}

} // namespace
} // namespace fuzz

int main(int argc, char** argv) {
    std::ios::sync_with_stdio(false);
    const bool value_of_close = argc < 2 || std::string_view(argv[1]) != "--no-close-value";
    std::string line;
    std::string trace;
    while (std::getline(std::cin, line)) {
        const fuzz::program code = fuzz::reader(line).read_program();
        trace.clear();
        fuzz::run(code, value_of_close, trace);
        trace += ".\n";
        std::cout << trace << std::flush; // so that after a crash it is clear which program it was
    }
}
