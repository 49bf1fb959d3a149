// expect: deleted
// A generator has one owner.
#include <isthmus/isthmus.hpp>

#include <utility>

isthmus::generator<int> body() { co_yield 1; }

int main() {
    auto g = body();
#ifdef FIXED
    auto awaitable = isthmus::from_generator(std::move(g));
#else
    auto awaitable = isthmus::from_generator(g);
#endif
    auto other = std::move(awaitable);
    return other.send().done() ? 1 : 0;
}
