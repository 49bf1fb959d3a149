// expect: isthmus: this coroutine yields values, so run() needs a handler: run(coroutine, handler)
#include <isthmus/isthmus.hpp>

isthmus::coroutine<int, int, int> asks() { co_return co_yield 1; }

int main() {
#ifdef FIXED
    return isthmus::run(asks(), [](int value) { return value + 1; });
#else
    return isthmus::run(asks());
#endif
}
