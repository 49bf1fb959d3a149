// tests/fuzz/program.hpp — a random program, and how it is read from its tokens.
// SPDX-License-Identifier: MIT
//
// A program in tokens:
//
//   P mode functions {form variables function... block ...}      form: c a coroutine, x one in an any_coroutine,
//                                                                      g a generator, p a coroutine that cannot yield
//   shared function... operations {on operation}...              on: -1 the root, else a shared one
//
//   block      { statement... }
//   operation  s N | s value | t class payload | c | x           send(None), send(value), throw, close, let go
//   target     v i | g i | R i | N i                             variable, shared, root, nearest ancestor's slot
//   statement  m n             mark                              y n value        yield
//              a n function    await a temporary                 W n function     await its await-iterator
//              K n function    await one that is kept
//              A n target      await                             w n target       await its await-iterator
//              C n via how function, B n via how target          the same, through something else
//              d n target op   drive by hand                     D n target op    the same, and raise on
//              q n target      state                             n i function     make variable i anew
//              z i             empty a shared one
//              x i j           swap variables                    r value          return
//              e class payload cause    raise; cause: - none, h what is handled, or class payload
//              b               raise again
//              k               break                             u                continue
//              o count block   loop                              G n block        a local variable with a destructor
//              T block handlers {class n block}... {-|n block}   try, except..., finally
//
//   via        d directly, x an any_coroutine, y its await-iterator, z an any_coroutine that holds a duck,
//              0-7 a duck: an awaitable class, with send(value) (1), throw_ (2) and close (4) or without
//   how        p plain, n nothrow, o as_outcome
#pragma once

#include "errors.hpp"
#include "things.hpp"

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace fuzz {

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
    char via = 'd', how = 'p';
    char cause = '-'; // h: what is handled, c: of the class that follows
    kind cause_class = kind::e1;
    int cause_payload = 0;
    target on;
    operation op;
    block body;
    std::vector<handler> handlers;
    bool has_final = false;
    block final;
};

struct function {
    char form = 'c';
    std::vector<std::size_t> variables;
    block body;
};

struct program {
    int mode = 0;
    bool raises_without_throw = false;
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
        const int mode = integer();
        p.mode = mode % 4;
        p.raises_without_throw = mode >= 4;
        p.functions.resize(size());
        for (function& f : p.functions) {
            f.form = token().at(0);
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
        int number = 0;
        if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc()) {
            fail("a number");
        }
        return number;
    }
    std::size_t size() { return static_cast<std::size_t>(integer()); }
    void read_indices(std::vector<std::size_t>& indices) {
        indices.resize(size());
        for (std::size_t& index : indices) {
            index = size();
        }
    }
    kind read_class() { return class_of(token()); }
    static kind class_of(std::string_view wanted) {
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
            if (const std::string_view number = token(); number != "N") {
                op.sent = integer(number);
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
        case 'C':
        case 'B':
            s.number = integer();
            s.via = token().at(0);
            s.how = token().at(0);
            if (what == 'C') {
                s.index = size();
            } else {
                s.on = read_target();
            }
            break;
        case 'e':
            s.error = read_class();
            s.value = integer();
            if (const std::string_view cause = token(); cause == "-" || cause == "h") {
                s.cause = cause[0];
            } else {
                s.cause = 'c';
                s.cause_class = class_of(cause);
                s.cause_payload = integer();
            }
            break;
        case 'G':
            s.number = integer();
            s.body = read_block();
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

} // namespace fuzz
