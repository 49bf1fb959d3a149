// expect: yield_value
#include <isthmus/isthmus.hpp>

#include <string>

isthmus::generator<std::string> body() {
#ifdef FIXED
    co_yield "text";
#else
    co_yield 5;
#endif
}

int main() { return body().send().done() ? 1 : 0; }
