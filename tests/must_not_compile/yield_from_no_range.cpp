// expect: isthmus: yield_from() takes a generator, an input range, or an object with send()
#include <isthmus/isthmus.hpp>

#include <vector>

isthmus::generator<int> body() {
#ifdef FIXED
    co_yield isthmus::yield_from(std::vector<int>(5, 5));
#else
    co_yield isthmus::yield_from(5);
#endif
}

int main() { return body().send().done() ? 1 : 0; }
