// expect: nodiscard
#include <isthmus/isthmus.hpp>

#pragma GCC diagnostic error "-Wunused-result"

isthmus::any_coroutine<int> make() {
    return []() -> isthmus::coroutine<int> { co_return 0; }();
}

int main() {
#ifdef FIXED
    return isthmus::run(make());
#else
    make();
#endif
}
