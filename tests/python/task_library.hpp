// tests/python/task_library.hpp — a C++ library whose functions return tasks. It knows neither Python nor a loop.
// SPDX-License-Identifier: MIT
#pragma once

#include <isthmus/task.hpp>

#include <cstdint>
#include <string>

namespace task_library {

isthmus::task<int> nap(int milliseconds, int result);
isthmus::task<int> answer_of_thread(int value, int microseconds);
isthmus::task<std::string> fail(int milliseconds, std::string text);
isthmus::task<int> sum_of_naps(int count, int milliseconds);
isthmus::task<int> with_limit(int limit, int milliseconds);
isthmus::task<std::string> read_some(int descriptor);
isthmus::task<std::string> note_cancellation(int milliseconds, bool swallow);
isthmus::task<int> first_of(int a, int b);
isthmus::task<int> failing_group(int count);
isthmus::task<int> cannot_be_cancelled(int milliseconds);
isthmus::task<int> many_answers(int count);
/// An awaitable of another library, which a thread resumes: as a task, and one that awaits it.
isthmus::task<int> others_answer(int value, int microseconds);
isthmus::task<int> others_answer_or_limit(int limit, int microseconds);
/// The thread sets an event after a while; many tasks wait for it.
isthmus::task<int> wait_for_event(int waiters, int microseconds);

/// How many operations are in flight, and how many tasks have noted that they were cancelled.
std::int64_t in_flight();
std::int64_t cancellations();

} // namespace task_library
