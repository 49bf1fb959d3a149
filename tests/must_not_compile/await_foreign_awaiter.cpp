// expect first: isthmus: this type resumes whoever awaits it by itself: an isthmus::task can await it
// expect first with -DALWAYS: isthmus: this type cannot be awaited
// expect first with -DOWN: isthmus: this type can only be awaited in coroutines of its own library
// expect first with -DIMMOVABLE: isthmus: an awaitable that cannot be moved must be awaited by name
// An awaiter of another library would resume the coroutine behind its driver's back.
#include <isthmus/isthmus.hpp>

struct awaiter {
    bool await_ready() const noexcept { return true; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    void await_resume() const noexcept {}
};

struct own_promise {};
struct own : awaiter {
    void await_suspend(std::coroutine_handle<own_promise>) const noexcept {}
};

struct immovable : awaiter {
    immovable() = default;
    immovable(const immovable&) = delete;
};

#if defined(FIXED) || defined(OWN) || defined(IMMOVABLE) || defined(ALWAYS)
using outer_type = isthmus::task<>;
#else
using outer_type = isthmus::coroutine<>;
#endif

outer_type outer() {
#if defined(ALWAYS)
    co_await std::suspend_always();
#elif defined(OWN)
    co_await own();
#elif defined(IMMOVABLE)
    co_await immovable();
#else
    immovable by_name;
    co_await by_name;
#endif
}

int main() { isthmus::run(outer()); }
