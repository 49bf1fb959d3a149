// expect: isthmus: Return, Yield and Send may be lvalue references, not rvalue references
#include <isthmus/isthmus.hpp>

#ifdef FIXED
using returned = int&;
#else
using returned = int&&;
#endif

int global = 1;
isthmus::coroutine<returned> body() { co_return static_cast<returned>(global); }

int main() { return body().state() == isthmus::coroutine_state::created ? 0 : 1; }
