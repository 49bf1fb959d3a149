// isthmus/asio.hpp — tasks and Asio: a completion token for its operations, and its executors as drivers.
// SPDX-License-Identifier: MIT
//
// For standalone Asio, from 1.22 on.
#pragma once

#include "asio/co_spawn.hpp"
#include "asio/use_coroutine.hpp"
#include "operations.hpp"
#include "task_group.hpp"
