// expect first: isthmus: nothrow() and as_outcome() cannot be combined
// expect first with -DOUTCOME: isthmus: nothrow() and as_outcome() cannot be combined
// expect first with -DNAMED: isthmus: nothrow() and as_outcome() cannot be combined
#include <isthmus/isthmus.hpp>

isthmus::coroutine<int> inner() { co_return 1; }

isthmus::coroutine<int> outer() {
#if defined(FIXED)
    const auto outcome = co_await isthmus::as_outcome(inner());
    co_return outcome.failed() ? 0 : co_await isthmus::nothrow(inner());
#elif defined(OUTCOME)
    const auto outcome = co_await isthmus::as_outcome(isthmus::nothrow(inner()));
    co_return outcome.failed();
#elif defined(NAMED)
    auto awaited = isthmus::as_outcome(inner());
    const auto outcome = co_await isthmus::nothrow(awaited);
    co_return outcome.failed();
#else
    const auto outcome = co_await isthmus::nothrow(isthmus::as_outcome(inner()));
    co_return outcome.failed();
#endif
}

int main() { return isthmus::run(outer()); }
