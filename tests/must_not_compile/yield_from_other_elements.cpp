// expect: isthmus: the elements of this range do not convert to the Yield of this generator
// A reference must not refer to what an element was converted to.
#include <isthmus/isthmus.hpp>

#include <string>
#include <vector>

std::vector<int> numbers(3, 1);
std::vector<const char*> texts(3, "");

isthmus::generator<const long&> references() {
#ifdef FIXED
    for (const long number : numbers) {
        co_yield number;
    }
#else
    co_yield isthmus::yield_from(numbers); // refused
#endif
}

isthmus::generator<std::string> strings() {
#ifdef FIXED
    co_yield isthmus::yield_from(texts);
#else
    co_yield isthmus::yield_from(numbers); // refused
#endif
}

int main() { return references().send().done() || strings().send().done() ? 1 : 0; }
