// expect: isthmus: a generator cannot yield from a coroutine; make it a coroutine, which can await it
// 7.12. What await() gives is an iterator, as in Python.
#include <isthmus/isthmus.hpp>

isthmus::coroutine<int, int> inner() {
    co_yield 1;
    co_return 2;
}

isthmus::generator<int> body() {
#ifdef FIXED
    co_yield isthmus::yield_from(inner().await());
#else
    co_yield isthmus::yield_from(inner());
#endif
}

int main() { return body().send().done() ? 1 : 0; }
