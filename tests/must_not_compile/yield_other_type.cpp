// expect: yield_value
#include <isthmus/isthmus.hpp>

#include <string>

isthmus::coroutine<int, std::string> body() {
#ifdef FIXED
    co_yield "text";
#else
    co_yield 5;
#endif
    co_return 1;
}

int main() { return body().send().done() ? 1 : 0; }
