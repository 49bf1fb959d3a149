// expect: deleted
#include <isthmus/isthmus.hpp>

isthmus::coroutine<int> body() { co_return 0; }

int main() {
    isthmus::any_coroutine c = body();
#ifdef FIXED
    auto d = std::move(c);
#else
    auto d = c;
#endif
    return isthmus::run(d);
}
