// expect: isthmus: a coroutine can only await one with the same Yield and Send, or with none
// What the awaited coroutine yields goes up untouched, so the chain must yield the same type.
#include <isthmus/isthmus.hpp>

#ifdef FIXED
using yielded = int;
#else
using yielded = long;
#endif

isthmus::coroutine<int, int> inner() {
    co_yield 1;
    co_return 2;
}

isthmus::coroutine<int, yielded> outer() { co_return co_await inner(); }

int main() {
    auto c = outer();
    return c.send().done() ? 1 : 0;
}
