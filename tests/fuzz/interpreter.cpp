// tests/fuzz/interpreter.cpp — runs random programs on Isthmus's public API and writes their traces.
// SPDX-License-Identifier: MIT
//
// Reads programs from standard input, one a line, and writes the trace of each, ended by a line with a dot; see
// fuzz.py. A program in tokens:
//
//   P mode functions {c|p} variables function... block ...       c: a function that may yield, p: one that cannot
//   shared function... operations {on operation}...              on: -1 the root, else a shared coroutine
//
//   block      { statement... }
//   operation  s N | s value | t class payload | c               send(None), send(value), throw, close
//   target     v i | g i | R i | N i                             variable, shared, root, nearest ancestor's slot
//   statement  m n             mark                              y n value        yield
//              a n function    await a temporary                 W n function     await its await-iterator
//              K n function    await one that is kept
//              A n target      await                             w n target       await its await-iterator
//              d n target op   drive by hand                     D n target op    the same, and raise on
//              q n target      state                             n i function     make variable i anew
//              z i             empty a shared one
//              x i j           swap variables                    r value          return
//              e class payload raise                             b                raise again
//              k               break                             u                continue
//              o count block   loop
//              T block handlers {class n block}... {-|n block}   try, except..., finally
//
// Each function of a program is one coroutine. C++ cannot co_await in a catch block, so a small stack machine
// (`machine`) walks the blocks of a function, while its coroutine only suspends and passes on what came of it.

#include <isthmus/isthmus.hpp>

#include <array>
#include <charconv>
#include <cstdlib>
#include <deque>
#include <exception>
#include <iostream>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using chain = isthmus::coroutine<int, int, std::optional<int>>;
using plain_chain = isthmus::coroutine<int>;

// ---- exceptions ----------------------------------------------------------------------------------------------------

struct E1 : std::exception {
    explicit E1(int n) : payload(n) {}
    int payload;
};
struct E2 {
    int payload;
};
struct payload_base {
    virtual ~payload_base() = default;
    int payload = 0;
};
struct GX : payload_base, isthmus::generator_exit { // a subclass whose generator_exit is not at its start
    explicit GX(int n) { payload = n; }
};

enum class kind { e1, e2, exit, derived_exit, type, value, runtime, exception, base };

constexpr std::array<std::pair<std::string_view, kind>, 9> class_names{{{"E1", kind::e1},
                                                                        {"E2", kind::e2},
                                                                        {"GeneratorExit", kind::exit},
                                                                        {"GX", kind::derived_exit},
                                                                        {"TypeError", kind::type},
                                                                        {"ValueError", kind::value},
                                                                        {"RuntimeError", kind::runtime},
                                                                        {"Exception", kind::exception},
                                                                        {"BaseException", kind::base}}};

/// An exception and what the trace says of it.
struct raised {
    std::exception_ptr error;
    kind what = kind::base;
    std::string text;

    raised() = default;
    explicit raised(std::exception_ptr thrown) : error(std::move(thrown)) {
        try {
            std::rethrow_exception(error);
        } catch (const E1& e1) {
            is(kind::e1, e1.payload);
        } catch (const E2& e2) {
            is(kind::e2, e2.payload);
        } catch (const GX& exit) {
            is(kind::derived_exit, exit.payload);
        } catch (const isthmus::generator_exit&) {
            is(kind::exit, "");
        } catch (const isthmus::type_error& e) {
            is(kind::type, e.what());
        } catch (const isthmus::value_error& e) {
            is(kind::value, e.what());
        } catch (const isthmus::runtime_error& e) {
            is(kind::runtime, e.what());
        } catch (const std::exception& e) {
            is(kind::exception, e.what());
        }
    }

    bool caught_by(kind handler) const {
        const bool exits = what == kind::exit || what == kind::derived_exit;
        switch (handler) {
        case kind::base:
            return true;
        case kind::exception:
            return !exits;
        case kind::exit:
            return exits;
        default:
            return what == handler;
        }
    }

private:
    void is(kind k, const std::string& more) {
        what = k;
        for (const auto& [name, named] : class_names) {
            if (named == k) {
                text = name;
            }
        }
        if (!more.empty()) {
            text += ' ' + more;
        }
    }
    void is(kind k, int payload) { is(k, std::to_string(payload)); }
};

std::exception_ptr make_error(kind what, int payload) {
    switch (what) {
    case kind::e1:
        return std::make_exception_ptr(E1(payload));
    case kind::e2:
        return std::make_exception_ptr(E2{payload});
    case kind::derived_exit:
        return std::make_exception_ptr(GX(payload));
    default:
        return std::make_exception_ptr(isthmus::generator_exit());
    }
}

// ---- programs ------------------------------------------------------------------------------------------------------

struct operation {
    char verb = 'c';
    std::optional<int> value; // sent
    kind error = kind::e1;    // thrown
    int payload = 0;
};

struct target {
    char what = 'R';
    std::size_t index = 0;
};

struct statement;
using block = std::vector<statement>;

struct handler {
    kind catches;
    int number;
    block body;
};

struct statement {
    char what = 'm';
    int number = 0;
    int value = 0;
    std::size_t index = 0, other = 0; // functions and variables
    kind error = kind::e1;
    target on;
    operation op;
    block body;
    std::vector<handler> handlers;
    bool has_final = false;
    block final;
};

struct function {
    bool plain = false;
    std::vector<std::size_t> variables;
    block body;
};

struct program {
    int mode = 0;
    std::vector<function> functions;
    std::vector<std::size_t> shared;
    std::vector<std::pair<int, operation>> operations;
};

class reader {
public:
    explicit reader(std::string_view text) : rest_(text) {}

    program read_program() {
        program p;
        expect("P");
        p.mode = integer();
        p.functions.resize(size());
        for (function& f : p.functions) {
            f.plain = token() == "p";
            read_indices(f.variables);
            f.body = read_block();
        }
        read_indices(p.shared);
        p.operations.resize(size());
        for (auto& [on, op] : p.operations) {
            on = integer();
            op = read_operation();
        }
        return p;
    }

private:
    std::string_view token() {
        const std::size_t end = rest_.find(' ');
        const std::string_view found = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        return found;
    }
    void expect(std::string_view wanted) {
        if (token() != wanted) {
            fail(wanted);
        }
    }
    [[noreturn]] static void fail(std::string_view wanted) {
        std::cerr << "interpreter: malformed program, expected " << wanted << '\n';
        std::exit(2);
    }
    int integer() { return integer(token()); }
    static int integer(std::string_view digits) {
        int value = 0;
        if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc()) {
            fail("a number");
        }
        return value;
    }
    std::size_t size() { return static_cast<std::size_t>(integer()); }
    void read_indices(std::vector<std::size_t>& indices) {
        indices.resize(size());
        for (std::size_t& index : indices) {
            index = size();
        }
    }
    kind read_class() {
        const std::string_view wanted = token();
        for (const auto& [name, named] : class_names) {
            if (name == wanted) {
                return named;
            }
        }
        fail("a class");
    }
    target read_target() {
        target t;
        t.what = token().at(0);
        t.index = size();
        return t;
    }
    operation read_operation() {
        operation op;
        op.verb = token().at(0);
        if (op.verb == 's') {
            if (const std::string_view value = token(); value != "N") {
                op.value = integer(value);
            }
        } else if (op.verb == 't') {
            op.error = read_class();
            op.payload = integer();
        }
        return op;
    }
    block read_block() {
        expect("{");
        block b;
        for (std::string_view what = token(); what != "}"; what = token()) {
            b.push_back(read_statement(what.at(0)));
        }
        return b;
    }
    statement read_statement(char what) {
        statement s;
        s.what = what;
        switch (what) {
        case 'm':
            s.number = integer();
            break;
        case 'y':
            s.number = integer();
            s.value = integer();
            break;
        case 'a':
        case 'W':
        case 'K':
            s.number = integer();
            s.index = size();
            break;
        case 'A':
        case 'w':
        case 'q':
            s.number = integer();
            s.on = read_target();
            break;
        case 'd':
        case 'D':
            s.number = integer();
            s.on = read_target();
            s.op = read_operation();
            break;
        case 'n':
        case 'x':
            s.index = size();
            s.other = size();
            break;
        case 'z':
            s.index = size();
            break;
        case 'r':
            s.value = integer();
            break;
        case 'e':
            s.error = read_class();
            s.value = integer();
            break;
        case 'b':
        case 'k':
        case 'u':
            break;
        case 'o':
            s.value = integer();
            s.body = read_block();
            break;
        case 'T':
            s.body = read_block();
            s.handlers.resize(size());
            for (handler& h : s.handlers) {
                h.catches = read_class();
                h.number = integer();
                h.body = read_block();
            }
            if (const std::string_view number = token(); number != "-") {
                s.number = integer(number);
                s.has_final = true;
                s.final = read_block();
            }
            break;
        default:
            fail("a statement");
        }
        return s;
    }

    std::string_view rest_;
};

// ---- what runs -----------------------------------------------------------------------------------------------------

/// One program being run: its root, its shared and its kept coroutines, and the trace.
struct context {
    const program& code;
    bool value_of_close;
    std::string& trace;
    std::deque<chain> kept; // references to these stay valid while it grows
    std::vector<chain> shared;
    chain root;

    void note(std::string_view what, int number, std::string_view more = {}) {
        trace.append(what).append(" ").append(std::to_string(number));
        if (!more.empty()) {
            trace.append(" ").append(more);
        }
        trace += '\n';
    }
};

std::string_view name_of(isthmus::coroutine_state state) {
    switch (state) {
    case isthmus::coroutine_state::created:
        return "created";
    case isthmus::coroutine_state::running:
        return "running";
    case isthmus::coroutine_state::suspended:
        return "suspended";
    case isthmus::coroutine_state::closed:
        return "closed";
    }
    return "?";
}

/// Does one operation on a coroutine and says what came of it, in one of the forms that must not differ.
class driving {
public:
    driving(context& ctx, chain& driven, const operation& op) : ctx_(ctx), driven_(driven), op_(op) {
        if (ctx.code.mode == 1) {
            without_exceptions();
        } else {
            try {
                with_exceptions();
            } catch (...) {
                failed(std::current_exception());
            }
        }
        text.insert(0, " ").insert(0, name_of(driven.state()));
    }

    std::string text;
    raised error;

private:
    void with_exceptions() {
        if (ctx_.code.mode == 2) {
            auto iterator = driven_.await();
            if (op_.verb == 's') {
                stepped(op_.value ? iterator.send(op_.value) : iterator.send(std::nullopt));
            } else if (op_.verb == 'c') {
                closed(iterator.close());
            } else {
                stepped(iterator.throw_(make_error(op_.error, op_.payload)));
            }
        } else if (op_.verb == 's') {
            stepped(op_.value ? driven_.send(op_.value) : driven_.send());
        } else if (op_.verb == 'c') {
            closed(driven_.close());
        } else if (op_.error == kind::e1) {
            stepped(driven_.throw_(E1(op_.payload)));
        } else if (op_.error == kind::e2) {
            const E2 copied{op_.payload};
            stepped(driven_.throw_(copied));
        } else if (op_.error == kind::derived_exit) {
            stepped(driven_.throw_(GX(op_.payload)));
        } else {
            stepped(driven_.throw_(isthmus::generator_exit()));
        }
    }

    void without_exceptions() {
        if (op_.verb == 'c') {
            auto outcome = driven_.try_close();
            if (outcome.failed()) {
                failed(outcome.error());
            } else {
                closed(outcome.done() ? std::optional<int>(outcome.returned()) : std::nullopt);
            }
            return;
        }
        auto outcome = op_.verb == 't' ? driven_.try_throw(make_error(op_.error, op_.payload))
                       : op_.value     ? driven_.try_send(op_.value)
                                       : driven_.try_send();
        if (outcome.failed()) {
            failed(outcome.error());
        } else {
            stepped(outcome);
        }
    }

    template <class Step>
    void stepped(Step&& step) {
        text =
            step.done() ? "returned " + std::to_string(step.returned()) : "yielded " + std::to_string(step.yielded());
    }
    void closed(const std::optional<int>& value) {
        text = "closed ";
        text += !ctx_.value_of_close ? "*" : value ? std::to_string(*value) : "None";
    }
    void failed(std::exception_ptr e) {
        error = raised(std::move(e));
        text = "raised " + error.text;
    }

    context& ctx_;
    chain& driven_;
    const operation& op_;
};

/// Executes the body of one function up to what only its coroutine can do: suspend.
class machine {
public:
    machine(context& ctx, std::size_t index, chain* near, std::vector<chain>& variables)
        : ctx_(ctx), near_(near), variables_(variables), returned_(1000 + static_cast<int>(index)) {
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
                return &s;
            default:
                execute(s);
            }
        }
        return nullptr;
    }

    /// The statement at hand raised this.
    void raise(std::exception_ptr error) { complete({outcome::error_out, raised(std::move(error)), 0}); }

    void sent(const statement& s, std::optional<int> value) {
        ctx_.note("sent", s.number, value ? std::to_string(*value) : "None");
    }
    void got(const statement& s, int value) { ctx_.note("got", s.number, std::to_string(value)); }

    chain& find(const target& t) {
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
    int result() const {
        if (error_) {
            std::rethrow_exception(error_);
        }
        return returned_;
    }

private:
    /// How a block ended.
    struct outcome {
        enum { on, error_out, value_out, broken, continued } how = on;
        raised error{};
        int value = 0;
    };

    /// A block being executed.
    struct entry {
        enum { plain, loop, body, handling, finishing } role;
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
            driving done(ctx_, find(s.on), s.op);
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
            ctx_.shared.at(s.index) = chain();
            break;
        case 'r':
            complete({outcome::value_out, {}, s.value});
            break;
        case 'e':
            raise(make_error(s.error, s.value));
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
        default:
            stack_.push_back({entry::body, &s.body, &s, 0, 0, {}, {}});
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
    chain* near_;
    std::vector<chain>& variables_;
    std::vector<entry> stack_;
    std::exception_ptr error_;
    int returned_;
};

/// A function that cannot yield: its coroutine has no Yield type, and sits in a chain that has one.
plain_chain run_plain(context* ctx, std::size_t index, chain* near) {
    std::vector<chain> variables;
    machine m(*ctx, index, near, variables);
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

/// Any other function. `near` is the slot of the nearest coroutine that lives in a variable, or the root.
chain run_function(context* ctx, std::size_t index, chain* near) {
    const function& f = ctx->code.functions[index];
    std::vector<chain> variables(f.variables.size());
    for (std::size_t i = 0; i < variables.size(); ++i) {
        variables[i] = run_function(ctx, f.variables[i], &variables[i]);
    }
    machine m(*ctx, index, near, variables);
    while (const statement* s = m.next()) {
        std::exception_ptr error;
        try {
            switch (s->what) {
            case 'y': {
                std::optional<int> value;
                if (s->number % 2 == 0) {
                    value = co_yield s->value;
                } else {
                    value = co_yield int(s->value);
                }
                m.sent(*s, value);
                break;
            }
            case 'a': {
                int value;
                if (ctx->code.functions[s->index].plain) {
                    value = co_await run_plain(ctx, s->index, near);
                } else {
                    value = co_await run_function(ctx, s->index, near);
                }
                m.got(*s, value);
                break;
            }
            case 'W': {
                const int value = co_await run_function(ctx, s->index, near).await();
                m.got(*s, value);
                break;
            }
            case 'K': {
                chain& kept = ctx->kept.emplace_back(run_function(ctx, s->index, &ctx->root));
                m.got(*s, co_await kept);
                break;
            }
            case 'A': {
                chain& awaited = m.find(s->on);
                m.got(*s, co_await awaited);
                break;
            }
            case 'w': {
                chain& awaited = m.find(s->on);
                m.got(*s, co_await awaited.await());
                break;
            }
            default: // 'n'
                variables.at(s->index) = run_function(ctx, s->other, &variables.at(s->index));
            }
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            m.raise(std::move(error));
        }
    }
    co_return m.result();
}

// ---- the driver ----------------------------------------------------------------------------------------------------

constexpr int closes = 4; // how often a coroutine that ignores it is closed at the end

void close(context& ctx, std::string_view name, chain& driven) {
    const operation op;
    for (int i = 0; i < closes && driven.state() == isthmus::coroutine_state::suspended; ++i) {
        const driving done(ctx, driven, op);
        ctx.trace.append(name).append(" ").append(done.text) += '\n';
    }
}

void run(const program& code, bool value_of_close, std::string& trace) {
    context ctx{code, value_of_close, trace, {}, {}, {}};
    ctx.root = run_function(&ctx, 0, &ctx.root);
    for (const std::size_t index : code.shared) {
        ctx.shared.push_back(run_function(&ctx, index, &ctx.root));
    }
    for (const auto& [on, op] : code.operations) {
        const driving done(ctx, on < 0 ? ctx.root : ctx.shared.at(static_cast<std::size_t>(on)), op);
        ctx.trace.append("driver ").append(done.text) += '\n';
    }
    close(ctx, "root", ctx.root);
    for (chain& shared : ctx.shared) {
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

int main(int argc, char** argv) {
    std::ios::sync_with_stdio(false);
    const bool value_of_close = argc < 2 || std::string_view(argv[1]) != "--no-close-value";
    std::string line;
    std::string trace;
    while (std::getline(std::cin, line)) {
        const program code = reader(line).read_program();
        trace.clear();
        run(code, value_of_close, trace);
        trace += ".\n";
        std::cout << trace << std::flush; // so that after a crash it is clear which program it was
    }
}
