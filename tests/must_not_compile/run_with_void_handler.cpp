// expect first: isthmus: the handler returns void, but this coroutine's Send has no empty value
// expect first with -DERASED: isthmus: the handler returns void, but this coroutine's Send has no empty value
#include <isthmus/isthmus.hpp>

isthmus::coroutine<int, int, int> asks() { co_return co_yield 1; }

int main() {
#if defined(FIXED)
    return isthmus::run(asks(), [](int value) { return value; });
#elif defined(ERASED)
    isthmus::any_coroutine<int, int, int> any(asks());
    return isthmus::run(any, [](int) {});
#else
    return isthmus::run(asks(), [](int) {});
#endif
}
