// tests/soak/soak.cpp — the soak test without Python: several threads that each run() thousands of operations at once,
// round after round. Usage: isthmus_soak SOCKET SECONDS SEED. Prints the accounts; ends with 1 if they do not balance.
// SPDX-License-Identifier: MIT

#include "world.hpp"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr int drivers = 3;
constexpr int at_once = 800; // for each of them

isthmus::task<> round(soak::world& in, std::uint64_t seed) {
    soak::random dice(static_cast<soak::random::result_type>(seed));
    std::vector<isthmus::task<>> all;
    for (int i = 0; i < at_once; ++i) {
        all.push_back(soak::act(in, dice()));
    }
    co_await isthmus::when_all(std::move(all));
}

} // namespace

int main(int count, char** arguments) {
    if (count != 4) {
        std::fprintf(stderr, "usage: %s SOCKET SECONDS SEED\n", arguments[0]);
        return 2;
    }
    const auto end = soak::clock::now() + std::chrono::seconds(std::atoi(arguments[2]));
    const auto seed = static_cast<std::uint64_t>(std::atoll(arguments[3]));
    soak::world in(arguments[1], 4);
    const int descriptors = soak::open_descriptors();
    std::vector<std::size_t> memory;
    memory.reserve(1 << 20);

    bool over = false;
    std::barrier all_done(drivers, [&]() noexcept {
        in.expect_balance();
        if (soak::open_descriptors() != descriptors) {
            in.fault("descriptors were left open");
        }
        if (memory.size() < memory.capacity()) {
            memory.push_back(soak::allocated_bytes());
        }
        over = soak::clock::now() >= end || in.faults != 0;
    });
    const auto drive = [&](std::uint64_t mine) {
        for (std::uint64_t i = 0; true; ++i) {
            isthmus::run(round(in, mine + i * drivers));
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

    // What is cached grows to its limit in the first rounds.
    std::vector<std::size_t> least; // of each quarter
    for (std::size_t i = 0; i < 4; ++i) {
        const auto at = [&](std::size_t quarter) {
            return memory.begin() + static_cast<std::ptrdiff_t>(memory.size() * quarter / 4);
        };
        least.push_back(*std::min_element(at(i), std::max(at(i) + 1, at(i + 1))));
    }
    if (least[3] > least[1] + 256 * 1024) {
        in.fault("memory grows");
    }
    std::printf("%zu rounds of %d\n%s", memory.size(), drivers * at_once, in.accounts().c_str());
    std::printf("allocated, KiB: %zu, %zu, %zu, %zu; %d faults\n", least[0] / 1024, least[1] / 1024, least[2] / 1024,
                least[3] / 1024, in.faults.load());
    return in.faults == 0 ? 0 : 1;
}
