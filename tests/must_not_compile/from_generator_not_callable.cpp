// expect: isthmus: from_generator() expects a generator or a callable
// 15.1
#include <isthmus/isthmus.hpp>

isthmus::coroutine<int> coroutine() { co_return 1; }

int main() {
#ifdef FIXED
    return isthmus::from_generator(coroutine)().send().returned();
#else
    auto a = isthmus::from_generator(5);           // refused
    auto b = isthmus::from_generator(coroutine()); // refused
#endif
}
