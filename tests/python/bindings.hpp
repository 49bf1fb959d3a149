// tests/python/bindings.hpp — what nb_bindings.cpp and pb_bindings.cpp both bind; it knows no binding library.
// SPDX-License-Identifier: MIT
#pragma once

#include <isthmus/python.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace bindings {

namespace py = isthmus::py;

/// Counts its instances, so that a test can see what lives.
class tracked {
public:
    tracked() { ++alive; }
    tracked(const tracked&) { ++alive; }
    tracked& operator=(const tracked&) = default;
    ~tracked() { --alive; }
    static inline int alive = 0;
};

// ---- functions -----------------------------------------------------------------------------------------------------

inline py::coroutine<int> add(int a, int b) { co_return a + b; }

inline py::coroutine<std::string> greet(std::string name) { co_return "hello " + name; }

inline py::coroutine<> nothing() { co_return; }

inline py::coroutine<py::object> pass_through(py::object awaited) { co_return co_await py::await(std::move(awaited)); }

inline py::coroutine<std::vector<int>> await_vector(py::object awaited) {
    co_return co_await py::await<std::vector<int>>(std::move(awaited));
}

inline py::coroutine<std::optional<std::tuple<int, std::string>>> pair_if(bool wanted) {
    if (wanted) {
        co_return std::tuple<int, std::string>(1, "one");
    }
    co_return std::nullopt;
}

inline py::coroutine<std::string> overloaded(int) { co_return "int"; }
inline py::coroutine<std::string> overloaded(std::string) { co_return "str"; }

inline py::coroutine<int> total(std::vector<int> numbers) {
    int sum = 0;
    for (const int number : numbers) {
        sum += number;
    }
    co_return sum;
}

/// Blocks, for in_thread(); and an overload that returns no coroutine.
inline int square(int number) { return number * number; }

/// Knows no Python: what it yields is the mere fact that it suspends.
inline isthmus::coroutine<int> plain(int pauses) {
    for (int i = 0; i < pauses; ++i) {
        co_yield isthmus::none();
    }
    co_return pauses;
}

inline py::coroutine<int> await_plain(int pauses) { co_return co_await plain(pauses); }

/// plain() for the C++ code of another module, in a capsule.
inline py::object share_plain() {
    return py::checked(PyCapsule_New(reinterpret_cast<void*>(&plain), "plain", nullptr));
}

// Between C++ coroutines references are legal; only Python must not be given this one.
inline py::coroutine<std::string> by_reference(const std::string& text) { co_return text; }

inline py::coroutine<std::string> by_reference_inside(std::string text) { co_return co_await by_reference(text); }

/// Nothing in this signature shows that the coroutine refers to what dies with the call.
inline py::coroutine<std::string> hidden_reference(std::string text) { return by_reference(text); }

inline py::coroutine<std::string> hidden_unless_started(std::string text, bool eager) {
    auto made = by_reference(text);
    if (eager) {
        return made;
    }
    return greet(text);
}

// ---- generators ----------------------------------------------------------------------------------------------------

inline isthmus::generator<int> count(int limit) {
    for (int i = 0; i < limit; ++i) {
        co_yield i;
    }
}

/// Yields text, takes lists of numbers, returns how many came.
inline isthmus::generator<std::string, std::vector<int>, std::size_t> join() {
    std::size_t lists = 0;
    std::string text = "start";
    while (!text.empty()) {
        const std::vector<int> numbers = co_yield text;
        text.clear();
        for (const int number : numbers) {
            text += std::to_string(number);
        }
        ++lists;
    }
    co_return lists;
}

inline auto count_as_coroutine(int limit) { return isthmus::from_generator(count(limit)); }

inline isthmus::generator<py::object> yield_by_reference(const std::string& text) {
    co_yield py::converter<std::string>::to_python(text);
}
inline isthmus::generator<py::object> hidden_reference_in_generator(std::string text) {
    return yield_by_reference(text);
}

// ---- coroutines of other types -------------------------------------------------------------------------------------

inline isthmus::any_coroutine<int, py::object, py::object> erased_add(int a, int b) { return add(a, b); }

// ---- classes -------------------------------------------------------------------------------------------------------

struct item : tracked {
    explicit item(int n) : number(n) {}
    int number;
};

class box : tracked {
public:
    explicit box(int number) : item_(number) {}

    py::coroutine<int> fetch() { co_return item_.number; }
    py::coroutine<int> fetch_after(py::object awaited) {
        co_await py::await(std::move(awaited));
        co_return item_.number;
    }
    py::coroutine<int> peek(int extra) const { co_return item_.number + extra; }
    py::coroutine<item&> reference() { co_return item_; }
    py::coroutine<item> copy() { co_return item_; }
    py::coroutine<item*> pointer() { co_return &item_; }
    static py::coroutine<int> one() { co_return 1; }
    isthmus::generator<item&> references(int times) {
        for (int i = 0; i < times; ++i) {
            co_yield item_;
        }
    }
    isthmus::generator<item> copies() const { co_yield item_; }
    py::coroutine<std::string> nothing_awaited() { co_return std::to_string(item_.number); }

    int number() const { return item_.number; }

private:
    item item_;
};

class derived_box : public box {
public:
    using box::box;
};
/// Bound with methods that hide those of its base.
class hiding_box : public box {
public:
    using box::box;
};

inline py::coroutine<std::unique_ptr<item>> make_unique_item(int number) { co_return std::make_unique<item>(number); }

inline py::coroutine<std::shared_ptr<item>> make_shared_item(int number) { co_return std::make_shared<item>(number); }

class job {
public:
    explicit job(py::object awaited) : awaited_(std::move(awaited)) {}
    py::coroutine<py::object> run() { co_return co_await py::await(awaited_); }

private:
    py::object awaited_;
};

class const_job {
public:
    explicit const_job(int number) : number_(number) {}
    py::coroutine<int> run() const { co_return number_; }

private:
    int number_;
};

// ---- exceptions ----------------------------------------------------------------------------------------------------

class translated : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
struct untranslated {};

/// Python knows nothing of this class.
inline py::coroutine<untranslated> make_unregistered() { co_return untranslated(); }

// What fails before there is a coroutine.

inline py::coroutine<int> checked_add(int a, int b) {
    if (a < 0) {
        throw py::error(PyExc_LookupError, "negative");
    }
    return add(a, b);
}

inline py::coroutine<> call_at_once(py::object function) {
    py::checked(PyObject_CallNoArgs(function.ptr()));
    return nothing();
}

[[noreturn]] inline void misuse_at_once() { throw isthmus::already_executing(); }

} // namespace bindings
