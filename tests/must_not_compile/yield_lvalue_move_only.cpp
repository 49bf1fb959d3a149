// expect: yield_value
// An lvalue is copied when it is yielded, which a move-only object must say that it is not.
#include <isthmus/isthmus.hpp>

#include <memory>
#include <utility>

isthmus::coroutine<int, std::unique_ptr<int>> body() {
    auto own = std::make_unique<int>(1);
#ifdef FIXED
    co_yield std::move(own);
#else
    co_yield own;
#endif
    co_return 1;
}

int main() { return body().send().done() ? 1 : 0; }
