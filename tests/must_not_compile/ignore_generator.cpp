// expect: nodiscard
// A generator that nobody drives does nothing.
#include <isthmus/isthmus.hpp>

#pragma GCC diagnostic error "-Wunused-result"

isthmus::generator<int> body() { co_yield 1; }

int main() {
#ifdef FIXED
    body().send();
#else
    body();
#endif
}
