// tests/soak/asio_kind.cpp — operations of Asio: tasks that its executors drive, and tasks that others drive, which
// wait for its timers and sockets. SPDX-License-Identifier: MIT

#include "world.hpp"

#include <isthmus/asio.hpp>

#include <asio.hpp>

#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace soak {

namespace {

using asio::local::stream_protocol;
using isthmus::asio::use_coroutine;
using executor = asio::any_io_executor; // of a strand

constexpr int threads = 3;

/// The threads that do the I/O.
class operations_of_asio {
public:
    explicit operations_of_asio(world& in) : in_(in) {
        const stream_protocol::socket first(pool_); // which opens the descriptors that all share
    }
    operations_of_asio(const operations_of_asio&) = delete;
    operations_of_asio& operator=(const operations_of_asio&) = delete;
    ~operations_of_asio() { pool_.join(); }

    task<> one(std::uint64_t seed) {
        random dice(static_cast<random::result_type>(seed));
        const executor strand = make_strand(pool_);
        switch (roll(dice, 5)) {
        case 0: // by a strand, for this one, that waits for it
            co_await isthmus::asio::co_spawn(strand, simple(strand, dice()), use_coroutine);
            break;
        case 1: // in a coroutine of Asio's own
            co_await asio::co_spawn(strand, in_awaitable(strand, dice()), use_coroutine);
            break;
        case 2:
            co_await with_signal(strand, dice());
            break;
        default: // by whoever drives this one
            co_await simple(strand, dice());
        }
    }

private:
    task<> simple(executor on, std::uint64_t seed) {
        random dice(static_cast<random::result_type>(seed));
        switch (roll(dice, 4)) {
        case 0:
            co_await sleep(std::move(on), dice());
            break;
        case 1:
            co_await isthmus::sleep_for(some_time(dice, 3000));
            break;
        default:
            co_await echo(std::move(on), dice());
        }
    }

    task<> sleep(executor on, std::uint64_t seed) {
        random dice(static_cast<random::result_type>(seed));
        asio::steady_timer timer(on, some_time(dice, 5000));
        if (roll(dice, 2) == 0) {
            co_await timer.async_wait(use_coroutine);
        } else { // elsewhere than the rest of what the task does
            const executor other = make_strand(pool_);
            co_await timer.async_wait(asio::bind_executor(other, use_coroutine));
        }
    }

    task<> echo(executor on, std::uint64_t seed) {
        stream_protocol::socket server(on);
        const stream_protocol::endpoint address(in_.address);
        co_await server.async_connect(address, use_coroutine);
        for (int i = 0; i < 3; ++i) {
            const std::string sent = std::to_string(seed) + "-" + std::to_string(i);
            std::string received(sent.size(), ' ');
            co_await asio::async_write(server, asio::buffer(sent), use_coroutine);
            if (i == 0) { // with the error as a value
                const auto [error, size] =
                    co_await asio::async_read(server, asio::buffer(received), use_coroutine.as_tuple());
                if (error) {
                    throw std::system_error(error);
                }
            } else {
                co_await asio::async_read(server, asio::buffer(received), use_coroutine);
            }
            if (received != sent) {
                in_.fault("the server's answer is another one's");
            }
        }
    }

    asio::awaitable<void> in_awaitable(executor on, std::uint64_t seed) {
        co_await isthmus::asio::co_spawn(on, simple(on, seed), asio::use_awaitable);
    }

    /// A task that a worker cancels on the strand, if it is not over before. Nobody else does.
    task<> with_signal(executor on, std::uint64_t seed) {
        random dice(static_cast<random::result_type>(seed));
        isthmus::completion<> ended;
        const auto cancel = std::make_shared<asio::cancellation_signal>();
        auto handler = [cancel, call = ended.callback(), &in = in_](std::exception_ptr error) {
            if (error) {
                call.set_exception(std::move(error));
            } else {
                call();
            }
            in.deliveries.end(ending::completed);
        };
        in_.deliveries.begin();
        isthmus::asio::co_spawn(on, until_told_to_stop(simple(on, dice())),
                                asio::bind_cancellation_slot(cancel->slot(), std::move(handler)));
        in_.deliveries.begin();
        in_.workers.call_after(some_time(dice, 4000), [on, cancel, &in = in_] {
            asio::post(on, [cancel, &in] {
                cancel->emit(asio::cancellation_type::all);
                in.deliveries.end(ending::completed);
            });
        });
        co_await ended;
    }
    static task<> until_told_to_stop(task<> body) {
        try {
            co_await std::move(body);
        } catch (const isthmus::cancelled&) {
            throw isthmus::timed_out();
        }
    }

    world& in_;
    asio::thread_pool pool_{threads};
};

} // namespace

kind asio_kind(world& in) {
    const auto all = std::make_shared<operations_of_asio>(in);
    return {.one = [all](std::uint64_t seed) { return all->one(seed); },
            .at_once = 300,
            .cached = 2 * threads * isthmus::detail::frame_cache::byte_limit};
}

} // namespace soak
