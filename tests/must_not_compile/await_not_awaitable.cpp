// expect first: isthmus: this type cannot be awaited in an isthmus coroutine: await() is missing
#include <isthmus/isthmus.hpp>

isthmus::coroutine<int> inner() { co_return 2; }

isthmus::coroutine<int> outer() {
#ifdef FIXED
    co_return co_await inner();
#else
    co_return co_await 2;
#endif
}

int main() { return outer().send().returned(); }
