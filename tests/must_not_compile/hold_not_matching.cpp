// expect first with -DNO_CLOSE: isthmus: this is not coroutine_like: close() is missing
// expect first with -DDELETED_CLOSE: isthmus: this is not coroutine_like: close() is deleted
// expect first with -DNO_CLASS: isthmus: this is not coroutine_like: await() is missing
// expect first with -DPOINTER: isthmus: this is not coroutine_like: close() is missing
// expect first with -DREFERENCE: isthmus: this is not coroutine_like: close() is missing
// expect first with -DARGUMENT: isthmus: this is not coroutine_like: close() is missing
// expect first with -DREGISTERED: isthmus: this is not coroutine_like: close() is missing
// expect first with -DOTHER_YIELD: isthmus: what an any_coroutine holds must yield its Yield type
// expect first with -DOTHER_RETURN: isthmus: what an any_coroutine holds must return its Return type
// expect first with -DOTHER_SEND: isthmus: what an any_coroutine holds must take its Send type
// expect first with -DTAKES_NOTHING: isthmus: what an any_coroutine holds must take its Send type
// expect first with -DNOT_MOVED: isthmus: an any_coroutine owns what it holds, and this cannot be copied: std::move it
#include <isthmus/isthmus.hpp>

#include <functional>
#include <memory>

using held = isthmus::any_coroutine<int, int, int>;
using step = isthmus::step<int, int>;

struct no_close {
    no_close& await() { return *this; }
    step send();
    step throw_(std::exception_ptr);
};
struct deleted_close : no_close {
    void close() = delete;
};
struct takes_nothing : no_close {
    void close();
};

isthmus::coroutine<int, int, int> matches() { co_return 0; }
void use(held) {}

#ifdef REGISTERED
template <>
inline constexpr bool isthmus::enable_coroutine<no_close> = true;
#endif

int main() {
#if defined(NO_CLOSE) || defined(REGISTERED)
    held c = no_close();
#elif defined(DELETED_CLOSE)
    held c{deleted_close()};
#elif defined(NO_CLASS)
    held c(5);
#elif defined(POINTER)
    held c = std::make_unique<no_close>();
#elif defined(REFERENCE)
    no_close own;
    held c = std::ref(own);
#elif defined(ARGUMENT)
    use(no_close());
    held c;
#elif defined(OTHER_YIELD)
    held c([]() -> isthmus::coroutine<int, long, int> { co_return 0; }());
#elif defined(OTHER_RETURN)
    held c([]() -> isthmus::coroutine<void, int, int> { co_return; }());
#elif defined(OTHER_SEND)
    held c([]() -> isthmus::coroutine<int, int> { co_return 0; }());
#elif defined(TAKES_NOTHING)
    held c{takes_nothing()};
#elif defined(NOT_MOVED)
    auto own = matches();
    held c(own);
#else
    held c = matches();
    use(matches());
#endif
    return c.send().returned();
}
