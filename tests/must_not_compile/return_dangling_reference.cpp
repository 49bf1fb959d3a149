// expect: return_value
// A coroutine that returns a reference cannot return a temporary.
#include <isthmus/isthmus.hpp>

int global = 1;
isthmus::coroutine<int&> body() {
#ifdef FIXED
    co_return global;
#else
    co_return 5;
#endif
}

int main() { return body().send().returned(); }
