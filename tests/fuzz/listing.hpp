// tests/fuzz/listing.hpp — what a random program that was printed as C++ calls; see cplusplus.py.
// SPDX-License-Identifier: MIT
//
// Such a program writes its trace to standard output. In CPython's names: `sent`, `got`, `mark` and so on are calls of
// the function that leave a trace; `root`, `shared` and `kept` are what the driver drives.
#pragma once

#include "things.hpp"

#include <isthmus/isthmus.hpp>

#include <deque>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fuzz {

inline thing root;
inline std::vector<thing> shared;
inline std::deque<thing> kept; // references to these stay valid while it grows
inline settings how;

inline operation send_value(value sent = std::nullopt) { return {'s', sent}; }
inline operation throw_error(kind error, int payload) { return {'t', std::nullopt, error, payload}; }
inline operation close_it() { return {}; }

inline void note(const char* what, int number, const std::string& more = {}) {
    std::cout << what << ' ' << number << (more.empty() ? "" : " ") << more << '\n';
}
inline void mark(int number) { note("mark", number); }
inline void sent(int number, const value& v) { note("sent", number, text_of(v)); }
inline void got(int number, const value& v) { note("got", number, text_of(v)); }
inline void got(int number, isthmus::outcome<isthmus::none, value> outcome) {
    if (outcome.failed()) {
        std::rethrow_exception(outcome.error());
    }
    got(number, outcome.returned());
}
inline void caught(int number, const raised& error) { note("caught", number, error.text); }
inline void state(int number, const thing& of) { note("state", number, std::string(name_of(of.state()))); }

inline void drive(int number, thing& driven, const operation& op) {
    note("drive", number, driving(how, driven, op).text);
}
inline void drive_or_raise(int number, thing& driven, const operation& op) {
    const driving done(how, driven, op);
    note("drive", number, done.text);
    if (done.error.error) {
        std::rethrow_exception(done.error.error);
    }
}
[[noreturn]] inline void raise(kind error, int payload, std::exception_ptr cause = nullptr) {
    std::rethrow_exception(make_error(error, payload, std::move(cause)));
}

/// A local variable whose destructor leaves a trace.
class guard {
public:
    explicit guard(int number) : number_(number) {}
    guard(const guard&) = delete;
    guard& operator=(const guard&) = delete;
    ~guard() { note("died", number_); }

private:
    int number_;
};

/// How the body or a handler of a `try` statement ended, with which `finally` goes on.
struct ending {
    enum { on, returned, broken, continued } how = on;
    raised error;
    int result = 0;

    /// In a handler of C++.
    void raise() {
        *this = {};
        error = raised(std::current_exception());
    }
    bool failed() const { return error.error != nullptr; }
    bool caught_by(kind handler) const { return failed() && error.caught_by(handler); }
    raised take() { return std::exchange(error, raised()); }
    void go_on() const {
        if (failed()) {
            std::rethrow_exception(error.error);
        }
    }
};

// ---- the driver ----

inline void driver_does(const char* name, thing& driven, const operation& op) {
    const driving done(how, driven, op); // which leaves a trace of its own
    std::cout << name << ' ' << done.text << '\n';
}
inline void driver(thing& driven, const operation& op) { driver_does("driver", driven, op); }
inline void let_go(thing& driven) {
    driven = thing();
    std::cout << "driver let go\n";
}
/// The end of every program.
inline void close_all() {
    const auto close = [](const char* name, thing& driven) {
        for (int i = 0; i < 4 && driven.state() == isthmus::coroutine_state::suspended; ++i) {
            driver_does(name, driven, close_it());
        }
    };
    close("root", root);
    for (thing& driven : shared) {
        close("shared", driven);
    }
    for (std::size_t i = 0; i < kept.size(); ++i) { // grows meanwhile
        close("kept", kept[i]);
    }
}

} // namespace fuzz
