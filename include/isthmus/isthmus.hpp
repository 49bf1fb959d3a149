// isthmus/isthmus.hpp — all of Isthmus that needs neither Python nor Asio.
// SPDX-License-Identifier: MIT
#pragma once

#include "abc.hpp"
#include "any_coroutine.hpp"
#include "concepts.hpp"
#include "coroutine.hpp"
#include "errors.hpp"
#include "run.hpp"
#include "step.hpp"
