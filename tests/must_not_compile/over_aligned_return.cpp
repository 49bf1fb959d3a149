// expect: isthmus: Return, Yield and Send must not be over-aligned
// g++ and clang place a frame where operator new(std::size_t) does, whatever is in it.
#include <isthmus/isthmus.hpp>

#ifdef FIXED
struct wide {
#else
struct alignas(64) wide {
#endif
    double values[8] = {};
};

isthmus::coroutine<wide> body() { co_return wide(); }

int main() { return static_cast<int>(body().send().returned().values[0]); }
