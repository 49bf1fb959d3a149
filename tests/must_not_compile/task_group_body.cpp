// expect first: isthmus: the body of with_task_group() takes a task_group& and returns a task
#include <isthmus/isthmus.hpp>

isthmus::task<> outer() {
#ifdef FIXED
    auto body = [](isthmus::task_group&) -> isthmus::task<> { co_return; };
#else
    auto body = [](isthmus::task_group&) -> isthmus::coroutine<> { co_return; };
#endif
    co_await isthmus::with_task_group(body);
}

int main() { isthmus::run(outer()); }
