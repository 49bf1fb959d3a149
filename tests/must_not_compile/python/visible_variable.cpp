// expect first with -DMOVED: and stays where it is: it can be neither copied nor moved
// expect first with -DKEPT: and stays where it is: it can be neither copied nor moved
// expect first with -DPARAMETER: and stays where it is: it can be neither copied nor moved
// expect first with -DHANDLE: is for a T that owns Python references
// expect first with -DPLAIN: what is awaited yields or takes another type than this coroutine
// The garbage collector finds a py::visible in its frame, and must find there what owns its references.
#include <isthmus/python.hpp>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace py = isthmus::py;
using py::object;

py::coroutine<object> fine(object callback_, std::map<std::string, object> more_, std::vector<int> numbers) {
    py::visible<object> callback = co_await py::make_visible(std::move(callback_));
    auto more = co_await py::make_visible(std::move(more_));
    auto pair = co_await py::make_visible(std::pair(std::move(numbers), std::optional<object>(*callback)));
    more->emplace("callback", *callback);
    co_return *pair->second;
}

#if !defined(FIXED)
py::coroutine<object> refused(object callback_) {
    auto callback = co_await py::make_visible(std::move(callback_));
#if defined(MOVED)
    auto other = std::move(callback);
#elif defined(KEPT)
    std::optional<py::visible<object>> other = co_await py::make_visible(object(*callback));
#elif defined(HANDLE)
    auto other = co_await py::make_visible(callback->ptr());
#endif
    co_return *callback;
}
#if defined(PARAMETER)
py::coroutine<> takes(py::visible<object>) { co_return; }
void passes(object callback) { py::coroutine<> made = takes(std::move(callback)); }
#elif defined(PLAIN)
isthmus::coroutine<> plain(object callback_) { auto callback = co_await py::make_visible(std::move(callback_)); }
#endif
#endif
