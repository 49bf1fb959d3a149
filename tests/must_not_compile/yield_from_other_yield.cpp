// expect: isthmus: a generator can only yield from one with the same Yield and Send, or with none
#include <isthmus/isthmus.hpp>

#ifdef FIXED
using yielded = int;
#else
using yielded = long;
#endif

isthmus::generator<int> inner() { co_yield 1; }
isthmus::generator<yielded> outer() { co_yield isthmus::yield_from(inner()); }

int main() { return outer().send().done() ? 1 : 0; }
