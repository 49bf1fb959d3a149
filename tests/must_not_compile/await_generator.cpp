// expect: isthmus: a generator cannot be awaited; await isthmus::from_generator(generator)
#include <isthmus/isthmus.hpp>

isthmus::generator<int, isthmus::none, int> inner() {
    co_yield 1;
    co_return 2;
}

isthmus::coroutine<int, int> outer() {
#ifdef FIXED
    const int result = co_await isthmus::from_generator(inner());
#else
    const int result = co_await inner();
#endif
    co_return result;
}

int main() { return outer().send().done() ? 1 : 0; }
