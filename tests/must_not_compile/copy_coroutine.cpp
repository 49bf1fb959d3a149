// expect: deleted
// A coroutine has one owner.
#include <isthmus/isthmus.hpp>

#include <utility>

isthmus::coroutine<int> body() { co_return 1; }

int main() {
    auto c = body();
#ifdef FIXED
    auto other = std::move(c);
#else
    auto other = c;
#endif
    return other.send().returned();
}
