// isthmus/isthmus.hpp — all of Isthmus that needs neither Python nor Asio.
// SPDX-License-Identifier: MIT
#pragma once

#include "abc.hpp"
#include "any_coroutine.hpp"
#include "await_chain.hpp"
#include "concepts.hpp"
#include "coroutine.hpp"
#include "errors.hpp"
#include "event.hpp"
#include "exception_group.hpp"
#include "from_awaitable.hpp"
#include "from_generator.hpp"
#include "generator.hpp"
#include "never_awaited.hpp"
#include "nothrow.hpp"
#include "operations.hpp"
#include "run.hpp"
#include "run_loop.hpp"
#include "step.hpp"
#include "task.hpp"
#include "task_group.hpp"
#include "yield_from.hpp"
