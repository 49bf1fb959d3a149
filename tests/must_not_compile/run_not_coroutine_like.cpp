// expect first with -DNO_AWAIT: isthmus: this is not coroutine_like: await() is missing
// expect first with -DNO_SEND: isthmus: this is not coroutine_like: send() is missing
// expect first with -DNO_THROW: isthmus: this is not coroutine_like: throw_() is missing
// expect first with -DNO_CLOSE: isthmus: this is not coroutine_like: close() is missing
// expect first with -DDELETED_AWAIT: isthmus: this is not coroutine_like: await() is deleted
// expect first with -DDELETED_SEND: isthmus: this is not coroutine_like: send() is deleted
// expect first with -DDELETED_THROW: isthmus: this is not coroutine_like: throw_() is deleted
// expect first with -DDELETED_CLOSE: isthmus: this is not coroutine_like: close() is deleted
// expect first with -DPRIVATE_CLOSE: isthmus: this is not coroutine_like: close() is deleted, inaccessible
// expect first with -DFINAL_CLASS: isthmus: this is not coroutine_like: close() is missing or deleted
// expect first with -DNEEDS_A_VALUE: cannot be called without a value, as Python's send(None)
// expect first with -DNO_STEP: isthmus: this is not coroutine_like: send() must return an isthmus::step
// expect first with -DTHROWS_ANOTHER_STEP: this is not coroutine_like: throw_() must return what send() returns
// expect first with -DNO_ITERATOR: isthmus: this is not coroutine_like: await() must return an await-iterator
// expect first with -DNO_CLASS: isthmus: this is not coroutine_like: await() is missing
// expect first with -DHANDLER: isthmus: this is not coroutine_like: close() is missing
// expect first with -DREGISTERED: isthmus: this is not coroutine_like: send() is missing
#include <isthmus/isthmus.hpp>

using step = isthmus::step<isthmus::none, int>;

struct complete {
    complete& await() { return *this; }
    step send() { return step(std::in_place_index<1>, 0); }
    step throw_(std::exception_ptr error) { std::rethrow_exception(error); }
    void close() {}
};

#if defined(NO_AWAIT)
struct mine {
    step send();
    step throw_(std::exception_ptr);
    void close();
};
#elif defined(NO_SEND) || defined(REGISTERED)
struct mine {
    complete& await();
    step throw_(std::exception_ptr);
    void close();
};
#elif defined(NO_THROW)
struct mine {
    complete& await();
    step send();
    void close();
};
#elif defined(NO_CLOSE) || defined(HANDLER)
struct mine {
    mine& await();
    step send();
    step throw_(std::exception_ptr);
};
#elif defined(DELETED_AWAIT)
struct mine : complete {
    complete& await() = delete;
};
#elif defined(DELETED_SEND)
struct mine : complete {
    mine& await();
    step send() = delete;
};
#elif defined(DELETED_THROW)
struct mine : complete {
    step throw_(std::exception_ptr) = delete;
};
#elif defined(DELETED_CLOSE)
struct mine : complete {
    void close() = delete;
};
#elif defined(PRIVATE_CLOSE)
class mine : public complete {
    using complete::close;
};
#elif defined(FINAL_CLASS)
struct mine final : complete {
    void close() = delete;
};
#elif defined(NEEDS_A_VALUE)
struct mine : complete {
    mine& await();
    step send(int);
};
#elif defined(NO_STEP)
struct mine : complete {
    int send();
};
#elif defined(THROWS_ANOTHER_STEP)
struct mine : complete {
    isthmus::step<int, int> throw_(std::exception_ptr);
};
#elif defined(NO_ITERATOR)
struct mine : complete {
    int* await();
};
#elif defined(NO_CLASS)
using mine = int;
#else
using mine = complete;
#endif

#ifdef REGISTERED
template <>
inline constexpr bool isthmus::enable_coroutine<mine> = true;
#endif

int main() {
#ifdef HANDLER
    return isthmus::run(mine(), [] {});
#else
    const int result = isthmus::run(mine());
    return result;
#endif
}
