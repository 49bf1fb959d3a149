// expect: isthmus: a coroutine can only await one with the same Yield and Send, or with none
// What is sent goes down untouched, so the chain must be sent the same type; also through an await-iterator.
#include <isthmus/isthmus.hpp>

#ifdef FIXED
using sent = int;
#else
using sent = long;
#endif

isthmus::coroutine<int, int, int> inner() { co_return co_yield 1; }

isthmus::coroutine<int, int, sent> outer(isthmus::coroutine<int, int, int> started) {
    co_return co_await started.await();
}

int main() {
    auto c = outer(inner());
    return c.send().done() ? 1 : 0;
}
