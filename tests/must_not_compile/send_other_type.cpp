// expect: send
// Only what the coroutine takes can be sent; a plain one takes None alone.
#include <isthmus/isthmus.hpp>

isthmus::coroutine<> body() { co_yield {}; }

int main() {
    auto c = body();
    c.send();
#ifdef FIXED
    return c.send(isthmus::none()).done() ? 0 : 1;
#else
    return c.send(5).done() ? 0 : 1;
#endif
}
