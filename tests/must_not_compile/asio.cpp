// expect first with -DAWAIT_IN_PLAIN: isthmus: what is awaited yields or takes another type than this coroutine
// expect first with -DSPAWN_NO_DEFAULT: isthmus: the result of a task that is spawned must be default-constructible
// expect first with -DBIND_OUTSIDE: isthmus: bind_executor() goes directly around use_coroutine
// Whoever drives the coroutine would have to start the operation; and a handler gets a result beside an error; and
// an executor that is bound around other adapters is not seen where the operation is cancelled.
#include <isthmus/isthmus.hpp>

#include <isthmus/asio.hpp>

#include <asio/bind_executor.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#if __has_include(<asio/as_tuple.hpp>)
#include <asio/as_tuple.hpp>
using asio::as_tuple;
#else // before 1.24
#include <asio/experimental/as_tuple.hpp>
using asio::experimental::as_tuple;
#endif

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

isthmus::task<> wait_elsewhere(asio::steady_timer& timer, asio::io_context& other) {
#if defined(BIND_OUTSIDE)
    co_await timer.async_wait(asio::bind_executor(other, as_tuple(isthmus::asio::use_coroutine)));
#else
    co_await timer.async_wait(as_tuple(asio::bind_executor(other, isthmus::asio::use_coroutine)));
#endif
}

int main() {
    asio::io_context io;
    asio::steady_timer timer(io);
    isthmus::asio::co_spawn(io, count(), asio::detached);
    wait(timer).close();
    wait_elsewhere(timer, io).close();
}
