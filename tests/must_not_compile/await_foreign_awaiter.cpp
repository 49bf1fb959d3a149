// expect first: isthmus: this type cannot be awaited in an isthmus coroutine: await() is missing
// An awaiter of another library would resume the coroutine behind its driver's back.
#include <isthmus/isthmus.hpp>

isthmus::coroutine<> outer() {
#ifdef FIXED
    co_yield {};
#else
    co_await std::suspend_always();
#endif
}

int main() { return outer().send().done() ? 1 : 0; }
