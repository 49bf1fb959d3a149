// isthmus/python.hpp — the bridge to Python, on CPython's C API alone. Include it before other headers, as Python.h.
// SPDX-License-Identifier: MIT
#pragma once

#include "python/object.hpp"

#include "isthmus.hpp"
#include "python/await.hpp"
#include "python/completion.hpp"
#include "python/coroutine.hpp"
#include "python/coroutine_like.hpp"
#include "python/error.hpp"
#include "python/function.hpp"
#include "python/generator.hpp"
#include "python/native.hpp"
#include "python/python_coroutine.hpp"
#include "python/task.hpp"
#include "python/thread.hpp"
#include "python/timeout.hpp"
