// expect: isthmus: a coroutine cannot yield_from; use co_await
// As in Python, where it is a SyntaxError.
#include <isthmus/isthmus.hpp>

isthmus::generator<int> inner() { co_yield 1; }

isthmus::coroutine<void, int> outer() {
#ifdef FIXED
    co_await isthmus::from_generator(inner());
#else
    co_yield isthmus::yield_from(inner());
#endif
}

int main() { return outer().send().done() ? 1 : 0; }
