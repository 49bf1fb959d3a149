// expect: isthmus: a coroutine can only await one with the same Yield and Send, or with none
// A plain coroutine can be awaited in any chain, but cannot pass up what others yield.
#include <isthmus/isthmus.hpp>

#ifdef FIXED
using yielded = isthmus::none;
#else
using yielded = int;
#endif

isthmus::coroutine<int, yielded> inner() { co_return 2; }

isthmus::coroutine<int> outer() { co_return co_await inner(); }

int main() { return outer().send().returned(); }
