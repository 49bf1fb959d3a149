// tests/fuzz/errors.hpp — the exceptions of the random programs, and what a trace says of one.
// SPDX-License-Identifier: MIT
#pragma once

#include <isthmus/isthmus.hpp>

#include <array>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace fuzz {

/// Each may carry a cause, as `raise ... from` gives one in Python.
struct E1 : std::exception {
    explicit E1(int n, std::exception_ptr from = nullptr) : payload(n), cause(std::move(from)) {}
    int payload;
    std::exception_ptr cause;
};
struct E2 {
    explicit E2(int n, std::exception_ptr from = nullptr) : payload(n), cause(std::move(from)) {}
    int payload;
    std::exception_ptr cause;
};
struct payload_base {
    virtual ~payload_base() = default;
    int payload = 0;
};
struct GX : payload_base, isthmus::generator_exit { // a subclass whose generator_exit is not at its start
    explicit GX(int n) { payload = n; }
};

enum class kind { e1, e2, exit, derived_exit, type, value, attribute, runtime, exception, base };

inline constexpr std::array<std::pair<std::string_view, kind>, 10> class_names{{{"E1", kind::e1},
                                                                                {"E2", kind::e2},
                                                                                {"GeneratorExit", kind::exit},
                                                                                {"GX", kind::derived_exit},
                                                                                {"TypeError", kind::type},
                                                                                {"ValueError", kind::value},
                                                                                {"AttributeError", kind::attribute},
                                                                                {"RuntimeError", kind::runtime},
                                                                                {"Exception", kind::exception},
                                                                                {"BaseException", kind::base}}};

/// An exception and what the trace says of it.
struct raised {
    std::exception_ptr error;
    kind what = kind::base;
    std::string text;

    raised() = default;
    explicit raised(std::exception_ptr thrown) : error(std::move(thrown)) {
        try {
            std::rethrow_exception(error);
        } catch (const E1& e1) {
            is(kind::e1, e1.payload, e1.cause);
        } catch (const E2& e2) {
            is(kind::e2, e2.payload, e2.cause);
        } catch (const GX& exit) {
            is(kind::derived_exit, exit.payload, nullptr);
        } catch (const isthmus::generator_exit&) {
            is(kind::exit, "");
        } catch (const isthmus::type_error& e) {
            is(kind::type, e.what());
        } catch (const isthmus::value_error& e) {
            is(kind::value, e.what());
        } catch (const isthmus::attribute_error& e) {
            is(kind::attribute, e.what());
        } catch (const isthmus::runtime_error& e) {
            is(kind::runtime, e.what());
        } catch (const std::exception& e) {
            is(kind::exception, e.what());
        }
    }

    bool caught_by(kind handler) const {
        const bool exits = what == kind::exit || what == kind::derived_exit;
        switch (handler) {
        case kind::base:
            return true;
        case kind::exception:
            return !exits;
        case kind::exit:
            return exits;
        default:
            return what == handler;
        }
    }

private:
    void is(kind k, const std::string& more) {
        what = k;
        for (const auto& [name, named] : class_names) {
            if (named == k) {
                text = name;
            }
        }
        if (!more.empty()) {
            text += ' ' + more;
        }
    }
    void is(kind k, int payload, const std::exception_ptr& cause) {
        is(k, std::to_string(payload));
        if (cause) {
            text += " from " + raised(cause).text;
        }
    }
};

inline std::exception_ptr make_error(kind what, int payload, std::exception_ptr cause = nullptr) {
    switch (what) {
    case kind::e1:
        return std::make_exception_ptr(E1(payload, std::move(cause)));
    case kind::e2:
        return std::make_exception_ptr(E2(payload, std::move(cause)));
    case kind::derived_exit:
        return std::make_exception_ptr(GX(payload));
    default:
        return std::make_exception_ptr(isthmus::generator_exit());
    }
}

} // namespace fuzz
