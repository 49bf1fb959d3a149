// expect first: isthmus: what is awaited yields or takes another type than this coroutine; give this coroutine the same
// Yield and Send Whoever drives the coroutine would have to start the operation, and knows nothing of those.
#include <isthmus/isthmus.hpp>

#ifdef FIXED
isthmus::task<> outer() {
#else
isthmus::coroutine<> outer() {
#endif
    co_await isthmus::sleep_for({});
}

int main() { isthmus::run(outer()); }
