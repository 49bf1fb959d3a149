// tests/fuzz/machine.hpp — executes the body of a function, up to what only its coroutine can do.
// SPDX-License-Identifier: MIT
#pragma once

#include "program.hpp"
#include "things.hpp"

#include <cstddef>
#include <cstdlib>
#include <deque>
#include <exception>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fuzz {

/// One program being run: its root, its shared and its kept coroutines, and the trace.
struct context {
    const program& code;
    settings how;
    std::string& trace;
    std::deque<thing> kept; // references to these stay valid while it grows
    std::vector<thing> shared;
    thing root;

    void note(std::string_view what, int number, std::string_view more = {}) {
        trace.append(what).append(" ").append(std::to_string(number));
        if (!more.empty()) {
            trace.append(" ").append(more);
        }
        trace += '\n';
    }
};

/// The variables of a function, which die as the items of a list do in Python: the last one first.
class variables {
public:
    explicit variables(std::size_t size) : things_(size) {}
    variables(const variables&) = delete;
    variables& operator=(const variables&) = delete;
    ~variables() {
        while (!things_.empty()) {
            things_.pop_back();
        }
    }
    thing& at(std::size_t index) { return things_.at(index); }

private:
    std::vector<thing> things_;
};

/// Executes the body of one function up to what only its coroutine can do: suspend.
class machine {
public:
    machine(context& ctx, std::size_t index, thing* near, variables& own)
        : ctx_(ctx), near_(near), variables_(own), returned_(1000 + static_cast<int>(index)) {
        stack_.push_back({entry::plain, &ctx.code.functions[index].body, nullptr, 0, 0, {}, {}});
    }

    /// The next statement that the coroutine has to execute; null when the function has ended.
    const statement* next() {
        while (!stack_.empty()) {
            entry& top = stack_.back();
            if (top.at == top.code->size()) {
                complete({});
                continue;
            }
            const statement& s = (*top.code)[top.at++];
            switch (s.what) {
            case 'y':
            case 'a':
            case 'W':
            case 'K':
            case 'A':
            case 'w':
            case 'n':
            case 'C':
            case 'B':
                return &s;
            default:
                execute(s);
            }
        }
        return nullptr;
    }

    /// The statement at hand raised this.
    void raise(std::exception_ptr error) { complete({outcome::error_out, raised(std::move(error)), 0}); }

    void sent(const statement& s, const value& v) { ctx_.note("sent", s.number, text_of(v)); }
    void got(const statement& s, const value& v) { ctx_.note("got", s.number, text_of(v)); }
    /// The same of `co_await as_outcome(...)`.
    template <class Outcome>
    void got_outcome(const statement& s, const Outcome& of_await) {
        if (of_await.failed()) {
            raise(of_await.error());
        } else {
            got(s, of_await.returned());
        }
    }

    thing& find(const target& t) {
        switch (t.what) {
        case 'v':
            return variables_.at(t.index);
        case 'g':
            return ctx_.shared.at(t.index);
        case 'N':
            return *near_;
        default:
            return ctx_.root;
        }
    }

    /// What the function returned, or what left it, is thrown.
    value result() const {
        if (error_) {
            std::rethrow_exception(error_);
        }
        return returned_;
    }

    /// What left the function, null if it returned.
    const std::exception_ptr& error() const { return error_; }

    /// A function that dies suspended: its local variables are destroyed, the innermost first.
    ~machine() {
        for (const entry& e : std::views::reverse(stack_)) {
            if (e.role == entry::guarded) {
                ctx_.note("died", e.owner->number);
            }
        }
    }
    machine(const machine&) = delete;
    machine& operator=(const machine&) = delete;

private:
    /// How a block ended.
    struct outcome {
        enum { on, error_out, value_out, broken, continued } how = on;
        raised error{};
        int value = 0;
    };

    /// A block being executed.
    struct entry {
        enum { plain, loop, guarded, body, handling, finishing } role;
        const block* code;
        const statement* owner; // the loop or try statement
        std::size_t at;
        int rounds;      // a loop's, done so far
        raised handled;  // by an except block
        outcome pending; // what a finally block goes on with
    };

    void execute(const statement& s) {
        switch (s.what) {
        case 'm':
            ctx_.note("mark", s.number);
            break;
        case 'q':
            ctx_.note("state", s.number, name_of(find(s.on).state()));
            break;
        case 'd':
        case 'D': {
            driving done(ctx_.how, find(s.on), s.op);
            ctx_.note("drive", s.number, done.text);
            if (s.what == 'D' && done.error.error) {
                complete({outcome::error_out, std::move(done.error), 0});
            }
            break;
        }
        case 'x':
            std::swap(variables_.at(s.index), variables_.at(s.other));
            break;
        case 'z':
            ctx_.shared.at(s.index) = thing();
            break;
        case 'r':
            complete({outcome::value_out, {}, s.value});
            break;
        case 'e':
            raise(make_error(s.error, s.value, cause_of(s)));
            break;
        case 'b':
            complete({outcome::error_out, being_handled(), 0});
            break;
        case 'k':
            complete({outcome::broken, {}, 0});
            break;
        case 'u':
            complete({outcome::continued, {}, 0});
            break;
        case 'o':
            stack_.push_back({entry::loop, &s.body, &s, 0, 0, {}, {}});
            break;
        case 'G':
            stack_.push_back({entry::guarded, &s.body, &s, 0, 0, {}, {}});
            break;
        default:
            stack_.push_back({entry::body, &s.body, &s, 0, 0, {}, {}});
        }
    }

    std::exception_ptr cause_of(const statement& s) const {
        switch (s.cause) {
        case 'h':
            return being_handled().error;
        case 'c':
            return make_error(s.cause_class, s.cause_payload);
        default:
            return nullptr;
        }
    }

    /// What a bare raise raises: the innermost exception that an except or finally block is dealing with.
    raised being_handled() const {
        for (const entry& e : std::views::reverse(stack_)) {
            if (e.role == entry::handling) {
                return e.handled;
            }
            if (e.role == entry::finishing && e.pending.how == outcome::error_out) {
                return e.pending.error;
            }
        }
        std::abort(); // not made
    }

    /// The innermost block has ended: finds the one to go on with.
    void complete(outcome how) {
        while (!stack_.empty()) {
            entry done = std::move(stack_.back());
            stack_.pop_back();
            switch (done.role) {
            case entry::plain:
                break;
            case entry::loop:
                if (how.how == outcome::on || how.how == outcome::continued) {
                    if (++done.rounds < done.owner->value) {
                        done.at = 0;
                        stack_.push_back(std::move(done));
                        return;
                    }
                    how = {};
                } else if (how.how == outcome::broken) {
                    how = {};
                }
                break;
            case entry::guarded:
                ctx_.note("died", done.owner->number);
                break;
            case entry::body:
                if (how.how == outcome::error_out) {
                    if (const handler* h = handler_for(*done.owner, how.error)) {
                        ctx_.note("caught", h->number, how.error.text);
                        stack_.push_back({entry::handling, &h->body, done.owner, 0, 0, std::move(how.error), {}});
                        return;
                    }
                }
                [[fallthrough]];
            case entry::handling:
                if (done.owner->has_final) {
                    ctx_.note("finally", done.owner->number);
                    stack_.push_back({entry::finishing, &done.owner->final, done.owner, 0, 0, {}, std::move(how)});
                    return;
                }
                break;
            case entry::finishing:
                if (how.how == outcome::on) {
                    how = std::move(done.pending);
                }
                break;
            }
            if (how.how == outcome::on) {
                return; // the block around goes on, if there is one
            }
        }
        if (how.how == outcome::error_out) {
            error_ = std::move(how.error.error);
        } else if (how.how == outcome::value_out) {
            returned_ = how.value;
        }
    }

    static const handler* handler_for(const statement& s, const raised& error) {
        for (const handler& h : s.handlers) {
            if (error.caught_by(h.catches)) {
                return &h;
            }
        }
        return nullptr;
    }

    context& ctx_;
    thing* near_;
    variables& variables_;
    std::vector<entry> stack_;
    std::exception_ptr error_;
    int returned_;
};

} // namespace fuzz
