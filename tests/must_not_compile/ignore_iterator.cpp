// expect: nodiscard
// await() alone drives nothing.
#include <isthmus/isthmus.hpp>

#pragma GCC diagnostic error "-Wunused-result"

isthmus::coroutine<> body() { co_return; }

int main() {
    auto c = body();
#ifdef FIXED
    c.await().send();
#else
    c.await();
#endif
}
