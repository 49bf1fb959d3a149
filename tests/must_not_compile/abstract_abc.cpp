// expect: abstract
// send() and throw_() are pure, and close() and await() are not (17.1, 17.2).
#include <isthmus/isthmus.hpp>

using base = isthmus::abc::coroutine<int>;

class complete : public base {
public:
    step_type send(isthmus::none) override { return step_type(std::in_place_index<1>, 0); }
    step_type throw_(std::exception_ptr error) override { std::rethrow_exception(error); }
};
class no_send : public base {
    step_type throw_(std::exception_ptr error) override { std::rethrow_exception(error); }
};
class no_throw : public base {
    step_type send(isthmus::none) override { return step_type(std::in_place_index<1>, 0); }
};
class no_await : public isthmus::abc::awaitable<int> {};

int main() {
#ifdef FIXED
    return isthmus::run(complete());
#else
    no_send a;  // refused
    no_throw b; // refused
    no_await c; // refused
    base d;     // refused
#endif
}
