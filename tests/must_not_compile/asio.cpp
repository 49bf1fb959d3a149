// expect first with -DAWAIT_IN_PLAIN: isthmus: what is awaited yields or takes another type than this coroutine
// expect first with -DSPAWN_NO_DEFAULT: isthmus: the result of a task that is spawned must be default-constructible
// Whoever drives the coroutine would have to start the operation; and a handler gets a result beside an error.
#include <isthmus/isthmus.hpp>

#include <isthmus/asio.hpp>

#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#if defined(AWAIT_IN_PLAIN)
isthmus::coroutine<> wait(asio::steady_timer& timer) {
#else
isthmus::task<> wait(asio::steady_timer& timer) {
#endif
    co_await timer.async_wait(isthmus::asio::use_coroutine);
}

struct number {
    explicit number(int) {}
};
#if defined(SPAWN_NO_DEFAULT)
isthmus::task<number> count() { co_return number(1); }
#else
isthmus::task<int> count() { co_return 1; }
#endif

int main() {
    asio::io_context io;
    asio::steady_timer timer(io);
    isthmus::asio::co_spawn(io, count(), asio::detached);
    wait(timer).close();
}
