// isthmus/exception_group.hpp — what task groups and timeouts throw.
// SPDX-License-Identifier: MIT
#pragma once

#include "detail/config.hpp"

#include <exception>
#include <memory>
#include <utility>
#include <vector>

namespace isthmus::inline v1 {

/// What with_task_group() throws: the errors of its tasks, in the order in which they came. Python's ExceptionGroup.
class ISTHMUS_EXPORT exception_group : public std::exception {
public:
    explicit exception_group(std::vector<std::exception_ptr> errors)
        : errors_(std::make_shared<const std::vector<std::exception_ptr>>(std::move(errors))) {}
    const char* what() const noexcept override { return "unhandled errors in a task group"; }
    const std::vector<std::exception_ptr>& errors() const noexcept { return *errors_; }

private:
    std::shared_ptr<const std::vector<std::exception_ptr>> errors_; // copying an exception must not throw
};

/// What with_timeout() and with_deadline() throw when the time is over. Python's TimeoutError.
class ISTHMUS_EXPORT timed_out : public std::exception {
public:
    const char* what() const noexcept override { return "timed out"; }
};

} // namespace isthmus::inline v1
