// expect: nodiscard
// What is not thrown must be looked at.
#include <isthmus/isthmus.hpp>

#pragma GCC diagnostic error "-Wunused-result"

isthmus::coroutine<> body() { co_return; }

int main() {
    auto c = body();
#ifdef FIXED
    return c.try_send().failed() ? 1 : 0;
#else
    c.try_send();
#endif
}
