// tests/cpp/asio/test_use_coroutine.cpp — Asio's operations in tasks: results, errors, cancellation, lifetimes.
// SPDX-License-Identifier: MIT

#include "support.hpp"

#include <fcntl.h>
#include <future>
#include <stdexcept>
#include <vector>

namespace {

using namespace test;

// ---- results and errors ----

task<int> echo(stream_protocol::socket socket) {
    char bytes[64];
    int rounds = 0;
    while (true) {
        const auto [error, size] = co_await socket.async_read_some(asio::buffer(bytes), use_coroutine.as_tuple());
        if (error) {
            co_return rounds;
        }
        co_await asio::async_write(socket, asio::buffer(bytes, size), use_coroutine);
        ++rounds;
    }
}

task<std::string> talk(stream_protocol::socket socket) {
    std::string heard;
    for (const std::string word : {"one ", "two ", "three"}) {
        co_await asio::async_write(socket, asio::buffer(word), use_coroutine);
        std::string answer(word.size(), ' ');
        co_await asio::async_read(socket, asio::buffer(answer), use_coroutine);
        heard += answer;
    }
    co_return heard;
}

TEST(UseCoroutine, ReadsAndWrites) {
    asio::io_context io;
    auto [server, client] = connected(io.get_executor());
    ended<int> rounds;
    isthmus::asio::co_spawn(io, echo(std::move(server)), rounds.handler());
    EXPECT_EQ(run_on(io, talk(std::move(client))), "one two three");
    EXPECT_EQ(rounds.get(), 3);
}

task<int> accept_and_count(asio::ip::tcp::acceptor acceptor) {
    auto socket = co_await acceptor.async_accept(use_coroutine);
    std::string line;
    const std::size_t size = co_await asio::async_read_until(socket, asio::dynamic_buffer(line), '\n', use_coroutine);
    co_return static_cast<int>(size);
}
task<int> connect_and_send(asio::ip::tcp::endpoint to) {
    asio::ip::tcp::socket socket(co_await isthmus::asio::this_executor());
    co_await socket.async_connect(to, use_coroutine);
    co_return static_cast<int>(co_await asio::async_write(socket, asio::buffer("hello\n", 6), use_coroutine));
}

TEST(UseCoroutine, AcceptsAndConnects) {
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    const auto endpoint = acceptor.local_endpoint();
    ended<int> counted;
    isthmus::asio::co_spawn(io, accept_and_count(std::move(acceptor)), counted.handler());
    EXPECT_EQ(run_on(io, connect_and_send(endpoint)), 6);
    EXPECT_EQ(counted.get(), 6);
}

task<int> connect_to_nobody(bool& closed) {
    asio::ip::tcp::acceptor acceptor(co_await isthmus::asio::this_executor(), {asio::ip::address_v4::loopback(), 0});
    const auto endpoint = acceptor.local_endpoint();
    acceptor.close();
    asio::ip::tcp::socket socket(co_await isthmus::asio::this_executor());
    const auto [error] = co_await socket.async_connect(endpoint, use_coroutine.as_tuple());
    closed = error == asio::error::connection_refused;
    asio::ip::tcp::socket again(co_await isthmus::asio::this_executor());
    co_await again.async_connect(endpoint, use_coroutine);
    co_return 0;
}

TEST(UseCoroutine, GivesErrorsAsValuesOrExceptions) {
    asio::io_context io;
    bool closed = false;
    try {
        run_on(io, connect_to_nobody(closed));
        ADD_FAILURE() << "nothing was thrown";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), asio::error::connection_refused);
    }
    EXPECT_TRUE(closed);
}

task<int> read_from_closed(stream_protocol::socket socket) {
    char byte[1];
    const auto [error, size] = co_await asio::async_read(socket, asio::buffer(byte), as_tuple(use_coroutine));
    EXPECT_EQ(size, 0U);
    co_return error == asio::error::eof ? 1 : 0;
}

TEST(UseCoroutine, WorksUnderAsiosAdapters) {
    asio::io_context io;
    auto [socket, other] = connected(io.get_executor());
    other.close();
    EXPECT_EQ(run_on(io, read_from_closed(std::move(socket))), 1);
}

/// An operation of a user's own, for any signature: completes at once, on this thread.
template <class Signature, class Token, class... Args>
auto complete_with(Token&& token, Args... args) {
    return asio::async_initiate<Token, Signature>(
        [](auto handler, Args... given) { std::move(handler)(std::move(given)...); }, token, std::move(args)...);
}

task<int> await_signatures() {
    co_await complete_with<void()>(use_coroutine);
    co_await complete_with<void(std::error_code)>(use_coroutine, std::error_code());
    const int number = co_await complete_with<void(int)>(use_coroutine, 1);
    const std::unique_ptr<int> moved = co_await complete_with<void(std::error_code, std::unique_ptr<int>)>(
        use_coroutine, std::error_code(), std::make_unique<int>(2));
    const auto [a, b] = co_await complete_with<void(std::exception_ptr, int, const std::string&)>(
        use_coroutine, std::exception_ptr(), 3, std::string("four"));
    const auto [error, c] =
        co_await complete_with<void(std::error_code, int)>(use_coroutine.as_tuple(), std::error_code(), 5);
    const auto [all] = co_await complete_with<void(int)>(use_coroutine.as_tuple(), 6);
    EXPECT_EQ(b, "four");
    EXPECT_FALSE(error);
    co_return number + *moved + a + c + all;
}

TEST(UseCoroutine, GivesWhatTheHandlerIsCalledWith) {
    asio::io_context io;
    EXPECT_EQ(run_on(io, await_signatures()), 1 + 2 + 3 + 5 + 6);
    EXPECT_EQ(isthmus::run(await_signatures()), 1 + 2 + 3 + 5 + 6); // without an executor
}

task<int> fail_with_exception() {
    const auto error = std::make_exception_ptr(boom("by pointer"));
    co_return co_await complete_with<void(std::exception_ptr, int)>(use_coroutine, error, 1);
}

TEST(UseCoroutine, RethrowsAnExceptionPointer) {
    asio::io_context io;
    EXPECT_ERROR(run_on(io, fail_with_exception()), boom, "by pointer");
}

task<int> many_at_once(int count) {
    int sum = 0;
    for (int i = 0; i < count; ++i) {
        sum += co_await complete_with<void(int)>(use_coroutine, 1);
    }
    co_return sum;
}

TEST(UseCoroutine, CompletesAtOnceWithoutRecursion) {
    asio::io_context io;
    EXPECT_EQ(run_on(io, many_at_once(100'000)), 100'000);
}

template <class Token>
auto throw_at_once(Token&& token) {
    return asio::async_initiate<Token, void(int)>([](auto) { throw boom("initiation"); }, token);
}
template <class Token>
auto drop_the_handler(Token&& token) {
    return asio::async_initiate<Token, void(int)>([](auto) {}, token);
}
task<int> await_throwing() { co_return co_await throw_at_once(use_coroutine); }
task<int> await_dropping() { co_return co_await drop_the_handler(use_coroutine); }

TEST(UseCoroutine, RaisesWhatTheInitiationThrows) {
    asio::io_context io;
    EXPECT_ERROR(run_on(io, await_throwing()), boom, "initiation");
}

TEST(UseCoroutine, IsBrokenWhenItsHandlerDies) {
    asio::io_context io;
    EXPECT_THROW(run_on(io, await_dropping()), std::future_error);
}

task<int> await_twice() {
    asio::steady_timer timer(co_await isthmus::asio::this_executor(), 0ms);
    auto wait = timer.async_wait(use_coroutine); // begins at the co_await
    co_await wait;
    co_await wait;
    co_return 0;
}

TEST(UseCoroutine, IsAwaitedOnce) {
    asio::io_context io;
    EXPECT_ERROR(run_on(io, await_twice()), isthmus::already_finished, finished);
}

// ---- threads and executors ----

task<bool> completes_on(asio::strand<asio::any_io_executor> strand, stream_protocol::socket socket) {
    asio::steady_timer timer(socket.get_executor(), 1ms); // whose own executor is another one
    co_await timer.async_wait(use_coroutine);
    const bool after_timer = strand.running_in_this_thread();
    co_await asio::async_write(socket, asio::buffer("x", 1), use_coroutine);
    co_return after_timer&& strand.running_in_this_thread();
}

TEST(UseCoroutine, CompletesOnTheExecutorOfTheTask) {
    asio::io_context io;
    auto [socket, other] = connected(io.get_executor());
    const auto strand = asio::make_strand(asio::any_io_executor(io.get_executor()));
    std::future<bool> right =
        isthmus::asio::co_spawn(strand, completes_on(strand, std::move(socket)), asio::use_future);
    io.run();
    EXPECT_TRUE(right.get());
}

/// An operation that notes where it is initiated and cancelled. It ends when it is cancelled.
class place_of_calls {
public:
    explicit place_of_calls(std::function<bool()> is_right) : is_right_(std::move(is_right)) {}

    template <class Token>
    auto async_wait(Token&& token) {
        return asio::async_initiate<Token, void(std::error_code)>(
            [this](auto handler) {
                begun = true;
                initiated = is_right_();
                auto kept = std::make_shared<decltype(handler)>(std::move(handler));
                auto slot = asio::get_associated_cancellation_slot(*kept);
                slot.assign([this, kept](asio::cancellation_type) {
                    cancelled = is_right_();
                    const auto executor = asio::get_associated_executor(*kept, asio::system_executor());
                    asio::post(executor, [this, kept] {
                        completed = is_right_();
                        std::move (*kept)(std::make_error_code(std::errc::operation_canceled));
                    });
                });
            },
            token);
    }

    bool begun = false;
    bool initiated = false;
    bool cancelled = false;
    bool completed = false;

private:
    std::function<bool()> is_right_;
};

template <class Token>
task<> wait_at(place_of_calls& place, Token token) {
    co_await place.async_wait(std::move(token));
}
template <class Token>
task<bool> all_there(place_of_calls& place, Token token) {
    while (!place.begun) { // on a busy machine the time may be over before the other thread comes to initiate it
        try {
            co_await isthmus::with_timeout(1ms, wait_at(place, token));
            co_return false;
        } catch (const isthmus::timed_out&) { // as it should be
        }
    }
    place.begun = false;
    co_return place.initiated&& place.cancelled&& place.completed;
}

TEST(UseCoroutine, IsInitiatedCancelledAndCompletedOnItsBoundExecutor) {
    context_thread other;
    place_of_calls place([id = other.id()] { return std::this_thread::get_id() == id; });
    const auto bound = asio::bind_executor(other.io, use_coroutine);
    EXPECT_TRUE(isthmus::run(all_there(place, bound)));
    asio::io_context io; // which drives the task
    EXPECT_TRUE(run_on(io, all_there(place, bound)));
    EXPECT_TRUE(run_on(io, all_there(place, as_tuple(bound))));
    EXPECT_TRUE(run_on(io, all_there(place, asio::bind_executor(other.io, use_coroutine.as_tuple()))));
}

task<int> time_out_bound(stream_protocol::socket& socket, asio::any_io_executor executor, int rounds) {
    int timeouts = 0;
    auto read = [&]() -> task<> {
        char bytes[64];
        co_await asio::async_read(socket, asio::buffer(bytes), asio::bind_executor(executor, use_coroutine));
    };
    for (int i = 0; i < rounds; ++i) {
        try {
            co_await isthmus::with_timeout(std::chrono::microseconds(i % 100), read());
        } catch (const isthmus::timed_out&) {
            ++timeouts;
        }
    }
    co_return timeouts;
}

// ThreadSanitizer would see a signal that is emitted elsewhere.
TEST(UseCoroutine, IsCancelledOnItsBoundExecutorWhileThatIsBusy) {
    asio::thread_pool pool(3);
    const auto strand = asio::make_strand(asio::any_io_executor(pool.get_executor()));
    auto [socket, peer] = connected(pool.get_executor());
    std::atomic<bool> stop{false};
    std::thread writer([&stop, &to = peer] {
        std::error_code error;
        to.non_blocking(true);
        while (!stop) {
            to.write_some(asio::buffer("x", 1), error);
        }
    });
    const asio::any_io_executor driver = asio::make_strand(pool);
    EXPECT_GT(isthmus::asio::co_spawn(driver, time_out_bound(socket, strand, 100), asio::use_future).get(), 0);
    stop = true;
    writer.join();
    pool.join();
}

// Driven by run(), on a thread that is not that of the I/O.
task<std::string> read_word(stream_protocol::socket& socket) {
    std::string word(5, ' ');
    co_await asio::async_read(socket, asio::buffer(word), use_coroutine);
    co_return word;
}

TEST(UseCoroutine, WorksUnderAnotherDriver) {
    context_thread other;
    auto [socket, peer] = connected(other.io.get_executor());
    asio::steady_timer later(other.io, 2ms);
    later.async_wait([&to = peer](std::error_code) { asio::write(to, asio::buffer("hello", 5)); });
    EXPECT_EQ(isthmus::run(read_word(socket)), "hello");
}

task<int> time_out_many(stream_protocol::socket& socket, int rounds) {
    int timeouts = 0;
    for (int i = 0; i < rounds; ++i) {
        try {
            co_await isthmus::with_timeout(std::chrono::microseconds(i % 300), read_word(socket));
        } catch (const isthmus::timed_out&) {
            ++timeouts;
        }
    }
    co_return timeouts;
}

TEST(UseCoroutine, IsCancelledFromAnotherThread) {
    context_thread other;
    auto [socket, peer] = connected(other.io.get_executor());
    EXPECT_EQ(isthmus::run(time_out_many(socket, 300)), 300);
    asio::write(peer, asio::buffer("still", 5));
    EXPECT_EQ(isthmus::run(read_word(socket)), "still");
}

/// Each read races with its data: nothing is lost but what comes as the read is cancelled, nothing hangs.
task<int> race_with_data(stream_protocol::socket& socket, stream_protocol::socket& peer, int rounds) {
    int over = 0;
    for (int i = 0; i < rounds; ++i) {
        auto limit = [](int round) -> task<> { co_await isthmus::sleep_for(std::chrono::microseconds(round % 60)); };
        asio::post(peer.get_executor(), [&peer] { asio::write(peer, asio::buffer("12345", 5)); });
        co_await isthmus::race(limit(i), read_word(socket));
        ++over;
    }
    co_return over;
}

TEST(UseCoroutine, IsCancelledWhileItCompletes) {
    context_thread other;
    auto [socket, peer] = connected(other.io.get_executor());
    EXPECT_EQ(isthmus::run(race_with_data(socket, peer, 300)), 300);
}

// ---- cancelling ----

task<std::string> read_or_tell(stream_protocol::socket& socket) {
    std::string seen = "nothing";
    char bytes[16];
    try {
        co_await socket.async_read_some(asio::buffer(bytes), use_coroutine);
    } catch (const isthmus::cancelled&) {
        seen = "cancelled";
    }
    co_return seen;
}

TEST(UseCoroutine, IsCancelledByTheTokensSlot) {
    asio::io_context io;
    auto [socket, peer] = connected(io.get_executor());
    asio::cancellation_signal cancel;
    ended<std::string> told;
    isthmus::asio::co_spawn(io, read_or_tell(socket), asio::bind_cancellation_slot(cancel.slot(), told.handler()));
    io.poll();
    EXPECT_FALSE(told.done());
    cancel.emit(asio::cancellation_type::terminal);
    io.run();
    EXPECT_EQ(told.get(), "cancelled");
    asio::write(peer, asio::buffer("fresh", 5)); // the socket works on
    EXPECT_EQ(run_on(io, read_word(socket)), "fresh");
}

TEST(UseCoroutine, IsCancelledAlsoIfTheTaskHasNotBegun) {
    asio::io_context io;
    auto [socket, peer] = connected(io.get_executor());
    asio::cancellation_signal cancel;
    ended<std::string> told;
    isthmus::asio::co_spawn(io, read_or_tell(socket), asio::bind_cancellation_slot(cancel.slot(), told.handler()));
    cancel.emit(asio::cancellation_type::terminal);
    io.run();
    EXPECT_EQ(told.get(), "cancelled");
}

/// An operation that knows nothing of cancellation, and ends when the test says so.
class stubborn {
public:
    template <class Token>
    auto async_wait(Token&& token) {
        return asio::async_initiate<Token, void(int)>(
            [this](auto handler) {
                auto kept = std::make_shared<decltype(handler)>(std::move(handler));
                end_ = [kept](int value) { std::move (*kept)(value); };
            },
            token);
    }
    void end(int value) { std::exchange(end_, nullptr)(value); }
    bool waits() const { return end_ != nullptr; }

private:
    std::function<void(int)> end_;
};
task<int> wait_for(stubborn& slow) { co_return co_await slow.async_wait(use_coroutine); }

TEST(UseCoroutine, EndsAfterAnOperationThatCannotBeCancelled) {
    asio::io_context io;
    stubborn slow;
    asio::cancellation_signal cancel;
    ended<int> result;
    isthmus::asio::co_spawn(io, wait_for(slow), asio::bind_cancellation_slot(cancel.slot(), result.handler()));
    io.poll();
    ASSERT_TRUE(slow.waits());
    cancel.emit(asio::cancellation_type::all);
    cancel.emit(asio::cancellation_type::all); // twice
    io.poll();
    EXPECT_FALSE(result.done());
    slow.end(1);
    io.run();
    EXPECT_THROW(result.get(), isthmus::cancelled); // cancellation wins over the result
}

// ---- destroying in flight ----

task<> fill(stream_protocol::socket& socket, std::shared_ptr<std::atomic<bool>> gone) {
    struct note_gone {
        std::shared_ptr<std::atomic<bool>> gone;
        ~note_gone() { *gone = true; }
    };
    const note_gone note{std::move(gone)};
    std::vector<char> bytes(1 << 16);
    std::string line;
    while (true) {
        co_await asio::async_read(socket, asio::buffer(bytes), use_coroutine);
        co_await asio::async_read_until(socket, asio::dynamic_buffer(line), '\n', use_coroutine);
    }
}

struct deaf_target final : isthmus::wake_target {
    void wake(std::uint64_t) noexcept override {}
};

// The buffer is freed while its data arrives: the sanitizers would see a write to it.
TEST(UseCoroutine, NothingIsWrittenAfterItsTaskIsDestroyed) {
    context_thread other;
    auto [socket, peer] = connected(other.io.get_executor());
    std::atomic<bool> stop{false};
    std::thread writer([&stop, &to = peer] {
        const std::string line = std::string(999, 'x') + "\n";
        std::error_code error;
        to.non_blocking(true);
        while (!stop && !error) {
            to.write_some(asio::buffer(line), error);
            if (error == asio::error::would_block) {
                error.clear();
            }
        }
    });
    isthmus::detail::poll_reactor reactor;
    const auto target = std::make_shared<deaf_target>();
    for (int i = 0; i < 200; ++i) {
        auto gone = std::make_shared<std::atomic<bool>>(false);
        {
            task<> reads = fill(socket, gone);
            reads.send().yielded().start(reactor, isthmus::waker(target, 0));
            std::this_thread::sleep_for(std::chrono::microseconds(i % 7 * 20));
        }
        EXPECT_TRUE(*gone);
    }
    stop = true;
    writer.join();
}

TEST(UseCoroutine, IsBrokenWhenItsContextIsDestroyed) {
    auto context = std::make_unique<asio::io_context>();
    auto sockets = std::make_unique<std::pair<stream_protocol::socket, stream_protocol::socket>>(
        connected(context->get_executor()));
    isthmus::detail::poll_reactor reactor;
    const auto target = std::make_shared<deaf_target>();
    task<std::string> reads = read_word(sockets->first);
    reads.send().yielded().start(reactor, isthmus::waker(target, 0));
    sockets.reset();
    context.reset();
    EXPECT_THROW(reads.send(), std::future_error); // its context is gone
}

// ---- destroying where the operation completes ----

struct note_end {
    bool& ended;
    ~note_end() { ended = true; }
};

task<> fill_line(stream_protocol::socket& socket, std::string& line, bool& ended) {
    const note_end note{ended};
    co_await asio::async_read_until(socket, asio::dynamic_buffer(line), '\n', use_coroutine);
}
/// What it lends lives in its frame.
task<> fill_for_ever(stream_protocol::socket socket, bool& ended) {
    const note_end note{ended};
    bool inner_ended = false;
    std::string line;
    while (true) {
        co_await fill_line(socket, line, inner_ended);
    }
}
/// Starts a task by hand, with a driver that dies at once.
template <class Return>
void start_by_hand(task<Return>& started) {
    isthmus::detail::poll_reactor reactor;
    started.send().yielded().start(reactor, isthmus::waker(std::make_shared<deaf_target>(), 0));
}

TEST(UseCoroutine, FramesThatAreDestroyedOnTheirOwnExecutorLiveUntilTheHandlerIsCalled) {
    asio::io_context io;
    auto [socket, peer] = connected(io.get_executor());
    asio::write(peer, asio::buffer("no end", 6));
    bool ended = false;
    asio::post(io, [&] {
        task<> reads = fill_for_ever(std::move(socket), ended);
        start_by_hand(reads);
        asio::write(peer, asio::buffer(" of it\n", 7));
        reads = task<>();
        EXPECT_FALSE(ended);
    });
    io.run();
    EXPECT_TRUE(ended);
}

TEST(UseCoroutine, FramesThatAreDestroyedOnTheirOwnExecutorGoWithItsContext) {
    bool ended = false;
    {
        asio::io_context io;
        auto [socket, peer] = connected(io.get_executor());
        asio::post(io, [&] {
            task<> reads = fill_for_ever(std::move(socket), ended);
            start_by_hand(reads);
            io.stop();
        });
        io.run();
        EXPECT_FALSE(ended);
    }
    EXPECT_TRUE(ended);
}

TEST(UseCoroutine, ATaskIsDestroyedByTheThreadThatRunsTheContextByHand) {
    asio::io_context io;
    auto [socket, peer] = connected(io.get_executor());
    bool ended = false;
    {
        task<> reads = fill_for_ever(std::move(socket), ended);
        start_by_hand(reads);
        io.poll(); // it is initiated
    }
    EXPECT_FALSE(ended);
    io.restart();
    io.run();
    EXPECT_TRUE(ended);
}

TEST(UseCoroutine, ATaskWhoseOperationHasNotBegunIsDestroyedAtOnce) {
    asio::io_context io;
    auto [socket, peer] = connected(io.get_executor());
    bool ended = false;
    {
        task<> reads = fill_for_ever(std::move(socket), ended);
        start_by_hand(reads);
    }
    EXPECT_TRUE(ended); // and nobody runs the context
    io.run();
}

task<> sleep_long() { co_await isthmus::sleep_for(1h); }
task<> fill_two(stream_protocol::socket first, stream_protocol::socket second, bool& ended) {
    const note_end note{ended};
    std::string lines[2];
    bool inner_ended[2] = {};
    co_await isthmus::when_all(fill_line(first, lines[0], inner_ended[0]), fill_line(second, lines[1], inner_ended[1]),
                               sleep_long());
}

TEST(UseCoroutine, SeveralThatAreDestroyedOnTheirOwnStrandLiveUntilTheLastIsOver) {
    asio::thread_pool pool(2);
    const auto strand = asio::make_strand(pool);
    std::promise<void> destroyed;
    bool ended = false;
    asio::post(strand, [&] {
        auto [first, peer_of_first] = connected(asio::any_io_executor(strand));
        auto [second, peer_of_second] = connected(asio::any_io_executor(strand));
        {
            task<> reads = fill_two(std::move(first), std::move(second), ended);
            start_by_hand(reads);
        }
        EXPECT_FALSE(ended);
        destroyed.set_value();
    });
    destroyed.get_future().get();
    pool.join();
    EXPECT_TRUE(ended);
}

TEST(UseCoroutine, CloseIsIgnoredOnItsOwnExecutor) {
    asio::io_context io;
    auto [socket, peer] = connected(io.get_executor());
    bool ended = false;
    task<> reads = fill_for_ever(std::move(socket), ended);
    asio::post(io, [&] {
        start_by_hand(reads);
        EXPECT_THROW(reads.close(), isthmus::ignored_generator_exit);
        EXPECT_EQ(reads.state(), isthmus::coroutine_state::suspended);
    });
    io.run(); // it is cancelled
    EXPECT_FALSE(ended);
    EXPECT_EQ(reads.close(), std::nullopt);
    EXPECT_TRUE(ended);
}

class counting_target final : public isthmus::wake_target {
public:
    void wake(std::uint64_t) noexcept override { ++wakes; }
    int wakes = 0;
};

TEST(UseCoroutine, ATaskThatIgnoresCloseIsWokenWhenItsOperationIsOver) {
    asio::io_context io;
    auto [socket, peer] = connected(io.get_executor());
    bool ended = false;
    const auto target = std::make_shared<counting_target>();
    isthmus::detail::poll_reactor reactor;
    task<> reads = fill_for_ever(std::move(socket), ended);
    asio::post(io, [&] {
        reads.send().yielded().start(reactor, isthmus::waker(target, 0));
        EXPECT_THROW(reads.close(), isthmus::ignored_generator_exit);
    });
    io.run();
    EXPECT_EQ(target->wakes, 1);
    EXPECT_THROW(reads.send(), isthmus::generator_exit);
    EXPECT_TRUE(ended);
}

TEST(UseCoroutine, ATaskThatIsResumedTooEarlyGoesOnWaiting) {
    asio::io_context io;
    auto [socket, peer] = connected(io.get_executor());
    bool ended = false;
    const auto target = std::make_shared<counting_target>();
    isthmus::detail::poll_reactor reactor;
    task<> reads = fill_for_ever(std::move(socket), ended);
    start_by_hand(reads);
    EXPECT_FALSE(reads.send().yielded().start(reactor, isthmus::waker(target, 0)));
    EXPECT_FALSE(reads.throw_(isthmus::cancelled()).yielded().start(reactor, isthmus::waker(target, 0)));
    EXPECT_FALSE(reads.send().yielded().start(reactor, isthmus::waker(target, 0)));
    EXPECT_FALSE(ended);
    io.run();
    EXPECT_EQ(target->wakes, 1);
    EXPECT_THROW(reads.send(), isthmus::cancelled);
    EXPECT_TRUE(ended);
}

TEST(UseCoroutine, ATaskIsDestroyedOnAnotherThreadOfItsExecutorThanItWasCancelledOn) {
    asio::io_context io;
    auto [socket, peer] = connected(io.get_executor());
    bool ended = false;
    task<> reads = fill_for_ever(std::move(socket), ended);
    asio::post(io, [&] {
        asio::post(io, [&] { reads = task<>(); }); // before the handler of what is cancelled
        start_by_hand(reads);
        static_cast<void>(reads.throw_(isthmus::cancelled()));
    });
    io.run_one();
    std::thread([&] { io.run(); }).join();
    EXPECT_TRUE(ended);
}

task<> start_and_leave(stream_protocol::socket socket, bool& ended) {
    task<> reads = fill_for_ever(std::move(socket), ended);
    start_by_hand(reads);
    co_return;
}

TEST(UseCoroutine, ASpawnedTaskMayLeaveOneThatItHasStartedByHand) {
    asio::io_context io;
    auto [socket, peer] = connected(io.get_executor());
    bool ended = false;
    isthmus::asio::co_spawn(io, start_and_leave(std::move(socket), ended), asio::detached);
    io.run();
    EXPECT_TRUE(ended);
}

/// An operation of a user's own around one of Asio's, which does not pass on what that needs.
template <class Inner>
class careless_operation {
public:
    explicit careless_operation(Inner&& inner) : inner_(inner) {}
    bool start(isthmus::reactor& lent, isthmus::waker wake) { return inner_.start(lent, std::move(wake)); }
    bool cancel() noexcept { return inner_.cancel(); }
    void result() { inner_.result(); }

private:
    Inner& inner_;
};

using UseCoroutineDeathTest = testing::Test;

TEST(UseCoroutineDeathTest, AnOperationAroundItPassesOnThatItOutlasts) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto destroy_on_executor = [] {
        asio::io_context io;
        asio::steady_timer timer(io, 1h);
        asio::post(io, [&] {
            task<> waits = [](asio::steady_timer& on) -> task<> {
                co_await careless_operation(on.async_wait(use_coroutine));
            }(timer);
            start_by_hand(waits);
        });
        io.run();
    };
    EXPECT_DEATH(destroy_on_executor(), "isthmus: an Asio operation was destroyed where it has yet to complete");
}

} // namespace
