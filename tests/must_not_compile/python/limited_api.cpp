// expect: isthmus cannot be built with the limited API
// The bridge needs more of CPython than the limited API has.
#if !defined(FIXED)
#define Py_LIMITED_API 0x030B0000
#endif
#include <isthmus/python.hpp>
