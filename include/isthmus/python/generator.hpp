// isthmus/python/generator.hpp — a C++ generator as a Python generator, and as a generator-based coroutine.
// SPDX-License-Identifier: MIT
#pragma once

#include "../from_generator.hpp"
#include "coroutine.hpp"
#include "generator_members.hpp"

#include <memory>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::py {

namespace detail {

template <class Yield, class Binding>
PyObject* take_yielded([[maybe_unused]] void* yielded, [[maybe_unused]] const coroutine_object& self) {
    if constexpr (isthmus::detail::is_none<Yield>) {
        return Py_NewRef(Py_None);
    } else {
        return Binding::convert(static_cast<Yield&&>(*static_cast<std::remove_reference_t<Yield>*>(yielded)), self);
    }
}

template <class Send>
std::shared_ptr<void> convert_sent([[maybe_unused]] const object& value) {
    static_assert(!is_borrowed<Send>,
                  "isthmus: a generator that is handed to Python cannot take a reference, pointer or view, since the "
                  "Python object it would refer to may be gone: let its Send be a value");
    if constexpr (isthmus::detail::is_none<Send>) {
        throw type_error("can't send non-None value to a generator whose Send type is none");
    } else {
        return std::make_shared<Send>(converter<Send>::from_python(value));
    }
}

template <class Yield, class Send, class Return, bool Awaitable, class Binding>
inline constexpr coroutine_operations generator_operations{
    .take_result = take_result<Return, Binding, Yield, Send>,
    .translate = Binding::translate,
    .kind = frame_kind::generator,
    .awaitable = Awaitable,
    .accepts_none = empty_value<Send>::exists,
    .take_yielded = take_yielded<Yield, Binding>,
    .convert_sent = convert_sent<Send>,
};

template <bool Awaitable, class Binding, class Yield, class Send, class Return>
object adopt_generator(generator<Yield, Send, Return>& source, object keep_alive, int policy) {
    interpreter_state& state = interpreter_state::get();
    return adopt(source, state, generator_type(state), generator_operations<Yield, Send, Return, Awaitable, Binding>,
                 std::move(keep_alive), policy);
}

template <class Yield, class Send, class Return>
inline constexpr bool is_ownable<generator<Yield, Send, Return>> = true;
template <class Yield, class Send, class Return>
inline constexpr bool is_ownable<generator_based_coroutine<Yield, Send, Return>> = true;

} // namespace detail

/// Makes the Python object of a generator, which is left empty: a collections.abc.Generator with the behaviour of
/// CPython's own (15.7). What it yields and returns is converted by `Binding`, which is told `policy`; what is sent to
/// it by py::converter. Where Send is none, a value that is sent to it after its start raises TypeError; so does None,
/// that is next(), where Send has no empty value. A value that cannot be converted raises, and leaves the generator
/// suspended. `keep_alive` lives until the generator ends. Needs the GIL. Throws py::error as for a coroutine.
template <class Binding = detail::by_converter, class Yield, class Send, class Return>
object to_python(generator<Yield, Send, Return>&& source, object keep_alive = object(), int policy = 0) {
    return detail::adopt_generator<false, Binding>(source, std::move(keep_alive), policy);
}

/// The same for what from_generator() has made: a generator that `await` takes too, as one by types.coroutine. It is
/// inspect.isawaitable, and neither a collections.abc.Awaitable nor a Coroutine (15.3). Its yielded values go to
/// whatever drives the awaiter.
template <class Binding = detail::by_converter, class Yield, class Send, class Return>
object to_python(generator_based_coroutine<Yield, Send, Return>&& source, object keep_alive = object(),
                 int policy = 0) {
    return detail::adopt_generator<true, Binding>(source, std::move(keep_alive), policy);
}

} // namespace isthmus::inline v1::py
