// expect: nodiscard
// A coroutine that nobody drives does nothing: Python warns that it was never awaited, C++ before it runs.
#include <isthmus/isthmus.hpp>

#pragma GCC diagnostic error "-Wunused-result"

isthmus::coroutine<> body() { co_return; }

int main() {
#ifdef FIXED
    body().send();
#else
    body();
#endif
}
