// expect first with -DDELETED: cannot be awaited in an isthmus coroutine: await() is deleted, inaccessible or takes arg
// expect first with -DFINAL_CLASS: cannot be awaited in an isthmus coroutine: await() is missing or deleted
// expect first with -DNO_SEND: cannot be awaited in an isthmus coroutine: what its await() returns has no send()
// expect first with -DDELETED_SEND: in an isthmus coroutine: send() of what its await() returns is deleted
// expect first with -DNUMBER: cannot be awaited in an isthmus coroutine: what its await() returns has no send()
// expect first with -DNOTHING: cannot be awaited in an isthmus coroutine: await() must return an await-iterator
// expect first with -DNO_STEP: cannot be awaited in an isthmus coroutine: await() must return an await-iterator
// expect first with -DREGISTERED: cannot be awaited in an isthmus coroutine: await() is missing
// expect first with -DLVALUE: cannot be awaited in an isthmus coroutine: await() is deleted, inaccessible or takes arg
// What is awaited must be an awaitable, whatever enable_coroutine says; the message names the member that is not there.
#include <isthmus/isthmus.hpp>

struct iterator {
    isthmus::step<isthmus::none, int> send() { return isthmus::step<isthmus::none, int>(std::in_place_index<1>, 0); }
};

struct mine {
#if defined(DELETED)
    iterator await() = delete;
#elif defined(NO_SEND)
    struct other {};
    other await();
#elif defined(DELETED_SEND)
    struct other : iterator {
        void send() = delete;
    };
    other await();
#elif defined(NUMBER)
    int await();
#elif defined(NOTHING)
    void await();
#elif defined(NO_STEP)
    struct other {
        int send();
    };
    other await();
#elif defined(LVALUE)
    iterator await() &&;
#elif !defined(REGISTERED)
    iterator await() { return {}; }
#endif
};
struct final_mine final {};

#ifdef REGISTERED
template <>
inline constexpr bool isthmus::enable_coroutine<mine> = true;
#endif

isthmus::coroutine<int> outer() {
#if defined(FINAL_CLASS)
    final_mine awaited;
#else
    mine awaited;
#endif
    const int result = co_await awaited;
    co_return result;
}

int main() { return isthmus::run(outer()); }
