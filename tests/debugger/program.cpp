// tests/debugger/program.cpp — a program at which run.py looks with gdb. It knows the lines by their comments.
// SPDX-License-Identifier: MIT
#include <isthmus/isthmus.hpp>

#include <utility>

namespace shop {

class socket {
public:
    socket& await() { return *this; }
    isthmus::step<int, int> send() { return isthmus::step<int, int>(std::in_place_index<0>, 1); }
};

class server {
public:
    isthmus::coroutine<int, int> read() {
        socket connection;
        co_return co_await connection; // read
    }
    isthmus::coroutine<int, int> handle(int requests) {
        if (requests > 1) {
            co_return co_await handle(requests - 1); // again
        }
        co_return co_await read(); // handle
    }
};

template <class T>
isthmus::generator<T> numbers(T last) {
    for (T i = 0; i < last; ++i) {
        co_yield i; // numbers
    }
}
isthmus::generator<int> all() {
    co_yield isthmus::yield_from(numbers(3)); // all
}

} // namespace shop

void stop_here(isthmus::coroutine<int, int>& served, isthmus::generator<int>& numbered, isthmus::coroutine<>& ended,
               isthmus::detail::frame* level) {
    static_cast<void>(served);
    static_cast<void>(numbered);
    static_cast<void>(ended);
    static_cast<void>(level);
}

isthmus::coroutine<> nothing() { co_return; }

isthmus::coroutine<> runs(isthmus::coroutine<int, int>& served, isthmus::generator<int>& numbered,
                          isthmus::coroutine<>& ended, isthmus::detail::frame*& level) {
    co_await nothing(); // runs
    stop_here(served, numbered, ended, level);
}

int main() {
    shop::server server;
    isthmus::coroutine<int, int> served = server.handle(2);
    served.send();
    isthmus::generator<int> numbered = shop::all();
    numbered.send();
    isthmus::coroutine<> ended = nothing();
    ended.send();
    isthmus::detail::frame* level = nullptr;
    isthmus::coroutine<> running = runs(served, numbered, ended, level);
    level = isthmus::detail::frame_access::get(running);
    running.send();
}
