// expect: isthmus: what is awaited yields or takes another type than this coroutine
#include <isthmus/isthmus.hpp>

#ifdef FIXED
using yielded = int;
#else
using yielded = long;
#endif

isthmus::generator<int> inner() { co_yield 1; }
isthmus::coroutine<void, yielded> outer() { co_await isthmus::from_generator(inner()); }

int main() { return outer().send().done() ? 1 : 0; }
