// expect: isthmus: a generator cannot co_await; use co_yield isthmus::yield_from(...), or a coroutine
#include <isthmus/isthmus.hpp>

isthmus::coroutine<> idle() { co_yield {}; }
isthmus::generator<isthmus::none> sub() { co_yield {}; }

isthmus::generator<isthmus::none> body() {
#ifdef FIXED
    co_yield isthmus::yield_from(sub());
#else
    co_await idle(); // refused
#endif
}

int main() { return body().send().done() ? 1 : 0; }
