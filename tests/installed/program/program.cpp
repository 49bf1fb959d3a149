// A program of a user's own, with the headers that `cmake --install` has put into a prefix.

#include <isthmus/isthmus.hpp>
#if __has_include(<asio.hpp>) // only who uses it needs Asio
#include <isthmus/asio.hpp>
#endif

#include <cstdio>

isthmus::coroutine<int> add(int a, int b) { co_return a + b; }

isthmus::coroutine<int> sum() { co_return co_await add(1, 2) + co_await add(3, 4); }

int main() {
    const int result = isthmus::run(sum());
    std::printf("%d\n", result);
    return result == 10 ? 0 : 1;
}
