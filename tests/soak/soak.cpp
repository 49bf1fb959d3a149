// tests/soak/soak.cpp — the soak test without Python: several threads that each run() many operations at once, round
// after round. Usage: isthmus_soak KIND ADDRESS SECONDS SEED. Prints the accounts; ends with 1 if they do not balance,
// with 77 if it was built without what the kind needs.
// SPDX-License-Identifier: MIT

#include "world.hpp"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr int drivers = 3;
constexpr std::size_t fewest_rounds = 6;

isthmus::task<> run_round(soak::world& in, std::uint64_t seed) {
    soak::random dice(static_cast<soak::random::result_type>(seed));
    std::vector<isthmus::task<>> all;
    for (int i = 0; i < in.operate.at_once; ++i) {
        all.push_back(soak::act(in, dice()));
    }
    co_await isthmus::when_all(std::move(all));
}

int soak_for(soak::world& in, std::chrono::milliseconds time, std::uint64_t seed) {
    const auto end = soak::clock::now() + time;
    const int descriptors = soak::open_descriptors();
    std::vector<std::size_t> memory;
    memory.reserve(1 << 20);

    bool over = false;
    std::barrier all_done(drivers, [&]() noexcept {
        in.expect_balance();
        if (!soak::comes_true([&] { return soak::open_descriptors() == descriptors; })) {
            in.fault("descriptors were left open");
        }
        if (memory.size() < memory.capacity()) {
            memory.push_back(soak::allocated_bytes());
        }
        over = (soak::clock::now() >= end && memory.size() >= fewest_rounds) || in.faults != 0;
    });
    const auto drive = [&](std::uint64_t mine) {
        for (std::uint64_t i = 0; true; ++i) {
            isthmus::run(run_round(in, mine + i * drivers));
            all_done.arrive_and_wait();
            if (over) {
                return;
            }
        }
    };
    std::vector<std::thread> threads;
    for (int i = 1; i < drivers; ++i) {
        threads.emplace_back(drive, seed + static_cast<std::uint64_t>(i));
    }
    drive(seed);
    for (std::thread& each : threads) {
        each.join();
    }

    std::vector<std::size_t> least; // of each quarter
    for (std::size_t i = 0; i < 4; ++i) {
        const auto at = [&](std::size_t quarter) {
            return memory.begin() + static_cast<std::ptrdiff_t>(memory.size() * quarter / 4);
        };
        least.push_back(*std::min_element(at(i), std::max(at(i) + 1, at(i + 1))));
    }
    if (least[3] > least[1] + soak::tolerance(in.operate)) {
        in.fault("memory grows");
    }
    std::printf("%zu rounds of %d\n%s", memory.size(), drivers * in.operate.at_once, in.accounts().c_str());
    std::printf("allocated, KiB: %zu, %zu, %zu, %zu; %d faults\n", least[0] / 1024, least[1] / 1024, least[2] / 1024,
                least[3] / 1024, in.faults.load());
    return in.faults == 0 ? 0 : 1;
}

} // namespace

int main(int count, char** arguments) {
    if (count != 5) {
        std::fprintf(stderr, "usage: %s KIND ADDRESS SECONDS SEED\n", arguments[0]);
        return 2;
    }
    // What is cancelled early has not awaited all that it was given.
    isthmus::set_never_awaited_hook([](std::string_view, const std::source_location&) {});
    try {
        soak::world in(arguments[1], arguments[2], 4);
        return soak_for(in, std::chrono::milliseconds(static_cast<long>(1000 * std::atof(arguments[3]))),
                        static_cast<std::uint64_t>(std::atoll(arguments[4])));
    } catch (const soak::left_out& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 77;
    }
}
