// isthmus/python/self.hpp — `self` of a bound method, for work that may outlive the call.
// SPDX-License-Identifier: MIT
#pragma once

#include "object.hpp"

#include <utility>

namespace isthmus::inline v1::py {

/// `self` of a bound method: the C++ object, and a reference to the Python object that owns it, so that it lives as
/// long as this does. For functions bound as methods whose work may outlive the call: nanobind and pybind11 convert to
/// it.
template <class Class>
class self {
public:
    self() noexcept = default;
    self(Class& target, object owner) noexcept : target_(&target), owner_(std::move(owner)) {}
    Class& operator*() const noexcept { return *target_; }
    Class* operator->() const noexcept { return target_; }
    const object& owner() const noexcept { return owner_; }

private:
    Class* target_ = nullptr;
    object owner_;
};

} // namespace isthmus::inline v1::py
