// examples/sansio/module.cpp — sansio_http: the protocol as it is used from Python, after h11's fashion.
// SPDX-License-Identifier: MIT

#include <isthmus/nanobind.hpp>

#include "http/connection.hpp"

#include <nanobind/operators.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace nb = nanobind;
namespace py = isthmus::py;
using namespace nanobind::literals;

namespace {

#define EVENT "Request | Response | Data | EndOfMessage | NeedData | Paused | ConnectionClosed"
#define TEXT "bytes | str"
#define FIELDS "collections.abc.Iterable[tuple[" TEXT ", " TEXT "]]"

nb::bytes to_bytes(std::string_view text) { return nb::bytes(text.data(), text.size()); }

/// The text of a bytes object, or of a str as UTF-8.
std::string to_text(nb::handle object) {
    if (nb::isinstance<nb::bytes>(object)) {
        const nb::bytes bytes = nb::borrow<nb::bytes>(object);
        return {bytes.c_str(), bytes.size()};
    }
    return nb::cast<std::string>(object);
}

http::headers to_headers(nb::handle pairs) {
    http::headers made;
    for (const nb::handle pair : pairs) {
        if (nb::len(pair) != 2) {
            throw nb::type_error("headers are pairs of a name and a value");
        }
        made.add(to_text(pair[0]), to_text(pair[1]));
    }
    return made;
}

template <class Name>
nb::list to_list(const http::headers& fields, Name name) {
    nb::list made;
    for (const http::field each : fields) {
        made.append(nb::make_tuple(to_bytes(name(each.name)), to_bytes(each.value)));
    }
    return made;
}
nb::list lower_case(const http::headers& fields) {
    return to_list(fields, [](std::string_view name) {
        std::string lower(name);
        std::transform(lower.begin(), lower.end(), lower.begin(), http::syntax::lower);
        return lower;
    });
}
nb::list as_written(const http::headers& fields) {
    return to_list(fields, [](std::string_view name) { return name; });
}

/// http::data with bytes of its own.
struct owned_data {
    nb::bytes bytes;
    friend bool operator==(const owned_data& a, const owned_data& b) { return a.bytes.equal(b.bytes); }
};

nb::object to_python(http::event&& found) {
    return std::visit(
        []<class Event>(Event& event) {
            if constexpr (std::is_same_v<Event, http::data>) {
                return nb::cast(owned_data{to_bytes(event.bytes)});
            } else {
                return nb::cast(std::move(event));
            }
        },
        found);
}

nb::bytes to_python(const http::outgoing& sent) {
    const auto& pieces = sent.pieces;
    const std::size_t size = pieces[0].size() + pieces[1].size() + pieces[2].size();
    nb::bytes made = nb::steal<nb::bytes>(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size)));
    if (!made.is_valid()) {
        throw nb::python_error();
    }
    char* to = PyBytes_AS_STRING(made.ptr());
    for (const std::string_view piece : pieces) {
        to = std::copy(piece.begin(), piece.end(), to);
    }
    return made;
}

class bound_connection : public http::connection {
public:
    using http::connection::connection;

    nb::object next() { return to_python(next_event()); }

    /// A driver of the parser that awaits Python: whatever `stream.read(n)` gives.
    py::coroutine<nb::object> read(nb::object stream) {
        while (true) {
            nb::object event = next();
            if (!nb::isinstance<http::need_data>(event)) {
                co_return event;
            }
            nb::object reading = stream.attr("read")(64 * 1024);
            const nb::bytes bytes = co_await py::await<nb::bytes>(reading);
            receive({bytes.c_str(), bytes.size()});
        }
    }
};

template <class Error>
void define_remote_error(nb::module_& m, const char* name, int status, const nb::object& base) {
    nb::exception<Error>(m, name, base.ptr()).attr("status") = status;
}

void define_errors(nb::module_& m) {
    const nb::exception<http::error> all(m, "ProtocolError");
    const nb::exception<http::local_error> local(m, "LocalProtocolError", all.ptr());
    const nb::exception<http::remote_error> remote(m, "RemoteProtocolError", all.ptr());
    remote.attr("status") = 400;
    define_remote_error<http::bad_line_end>(m, "BadLineEnd", 400, remote);
    define_remote_error<http::bad_start_line>(m, "BadStartLine", 400, remote);
    define_remote_error<http::bad_field>(m, "BadField", 400, remote);
    define_remote_error<http::bad_host>(m, "BadHost", 400, remote);
    define_remote_error<http::bad_content_length>(m, "BadContentLength", 400, remote);
    define_remote_error<http::ambiguous_framing>(m, "AmbiguousFraming", 400, remote);
    define_remote_error<http::bad_chunk>(m, "BadChunk", 400, remote);
    define_remote_error<http::unexpected_end>(m, "UnexpectedEnd", 400, remote);
    define_remote_error<http::unexpected_data>(m, "UnexpectedData", 400, remote);
    define_remote_error<http::body_too_large>(m, "BodyTooLarge", 413, remote);
    define_remote_error<http::start_line_too_long>(m, "StartLineTooLong", 414, remote);
    define_remote_error<http::fields_too_large>(m, "FieldsTooLarge", 431, remote);
    define_remote_error<http::unsupported_coding>(m, "UnsupportedCoding", 501, remote);
    define_remote_error<http::unsupported_version>(m, "UnsupportedVersion", 505, remote);
}

/// What has `==` and is not meant for keys. (`__hash__ = None` would be the usual way, but mypy refuses that in a
/// stub.)
template <class T>
void refuse_hash(nb::class_<T>& bound) {
    bound.def("__hash__", [](const T&) -> Py_hash_t { throw nb::type_error("unhashable type"); });
}

template <class Head>
void define_head(nb::class_<Head>& bound) {
    bound
        .def_prop_ro(
            "headers", [](const Head& self) { return lower_case(self.fields); },
            nb::sig("def headers(self) -> list[tuple[bytes, bytes]]"),
            "The fields in their order, with names in lower case. Each access makes a new list.")
        .def_prop_ro(
            "raw_headers", [](const Head& self) { return as_written(self.fields); },
            nb::sig("def raw_headers(self) -> list[tuple[bytes, bytes]]"), "The fields as they were written.")
        .def_prop_ro("http_version",
                     [](const Head& self) { return to_bytes(self.version == http::version::http_1_0 ? "1.0" : "1.1"); })
        .def(nb::self == nb::self, nb::sig("def __eq__(self, other: object, /) -> bool"));
    refuse_hash(bound);
}

void define_events(nb::module_& m) {
    nb::class_<http::request> request(m, "Request", "A request line and its headers.");
    request
        .def(
            "__init__",
            [](http::request* self, nb::object method, nb::object target, nb::object headers) {
                new (self) http::request(to_text(method), to_text(target), to_headers(headers));
            },
            "method"_a, "target"_a, "headers"_a = nb::tuple(),
            nb::sig("def __init__(self, method: " TEXT ", target: " TEXT ", headers: " FIELDS " = ()) -> None"))
        .def_prop_ro("method", [](const http::request& self) { return to_bytes(self.method); })
        .def_prop_ro("target", [](const http::request& self) { return to_bytes(self.target); })
        .def("__repr__", [](const http::request& self) { return "<Request " + self.method + " " + self.target + ">"; });
    define_head(request);

    nb::class_<http::response> response(m, "Response", "A status line and its headers; interim if below 200.");
    response
        .def(
            "__init__",
            [](http::response* self, int status, nb::object headers, nb::object reason) {
                new (self) http::response(status, to_headers(headers), to_text(reason));
            },
            "status_code"_a, "headers"_a = nb::tuple(), "reason"_a = nb::bytes("", 0),
            nb::sig("def __init__(self, status_code: int, headers: " FIELDS " = (), reason: " TEXT " = b'') -> None"))
        .def_prop_ro("status_code", [](const http::response& self) { return self.status; })
        .def_prop_ro("reason", [](const http::response& self) { return to_bytes(self.reason); })
        .def_prop_ro("interim", &http::response::interim)
        .def("__repr__", [](const http::response& self) { return "<Response " + std::to_string(self.status) + ">"; });
    define_head(response);

    nb::class_<owned_data> data(m, "Data", "A piece of a body. Pieces say nothing about chunks.");
    data.def(nb::init<nb::bytes>(), "data"_a)
        .def_prop_ro("data", [](const owned_data& self) { return self.bytes; })
        .def("__repr__",
             [](const owned_data& self) { return "<Data: " + std::to_string(self.bytes.size()) + " bytes>"; })
        .def(nb::self == nb::self, nb::sig("def __eq__(self, other: object, /) -> bool"));
    refuse_hash(data);

    nb::class_<http::end_of_message> end(m, "EndOfMessage", "The end of a request or a final response.");
    end.def(
           "__init__",
           [](http::end_of_message* self, nb::object headers) { new (self) http::end_of_message{to_headers(headers)}; },
           "headers"_a = nb::tuple(), nb::sig("def __init__(self, headers: " FIELDS " = ()) -> None"))
        .def_prop_ro(
            "headers", [](const http::end_of_message& self) { return lower_case(self.trailers); },
            nb::sig("def headers(self) -> list[tuple[bytes, bytes]]"), "The trailers.")
        .def("__repr__", [](const http::end_of_message&) { return "<EndOfMessage>"; })
        .def(nb::self == nb::self, nb::sig("def __eq__(self, other: object, /) -> bool"));
    refuse_hash(end);

    nb::class_<http::need_data>(m, "NeedData", "The next event needs more data to be received.");
    nb::class_<http::paused>(m, "Paused", "What the peer sent next must wait until this side has sent its message.");
    nb::class_<http::connection_closed>(m, "ConnectionClosed", "No other message comes on this connection.");
}

} // namespace

NB_MODULE(sansio_http, m) {
    m.doc() = "A sans-I/O HTTP/1.1 library in C++: an example of Isthmus.";
    define_errors(m);
    define_events(m);

    nb::enum_<http::role>(m, "Role").value("CLIENT", http::role::client).value("SERVER", http::role::server);

    using connection = bound_connection;
    nb::class_<connection>(m, "Connection", "One side of an HTTP/1.1 connection, without any I/O.")
        .def(
            "__init__",
            [](connection* self, http::role role, std::size_t start_line, std::size_t header_bytes,
               std::size_t header_count, std::optional<std::uint64_t> body) {
                http::limits limits;
                limits.start_line = start_line;
                limits.field_bytes = header_bytes;
                limits.field_count = header_count;
                limits.body = body.value_or(limits.body);
                new (self) connection(role, limits);
            },
            "role"_a, nb::kw_only(), "max_start_line"_a = http::limits().start_line,
            "max_header_bytes"_a = http::limits().field_bytes, "max_header_count"_a = http::limits().field_count,
            "max_body"_a = nb::none())
        .def(
            "receive_data", [](connection& self, const nb::bytes& data) { self.receive({data.c_str(), data.size()}); },
            "data"_a, "Hands over what was received; nothing at the end of the connection.")
        .def("next_event", &connection::next, nb::sig("def next_event(self) -> " EVENT),
             "The next event: NeedData if more must be received before.")
        .def("read", &connection::read, "stream"_a,
             nb::sig("def read(self, stream: asyncio.StreamReader) -> "
                     "collections.abc.Coroutine[typing.Any, typing.Any, " EVENT "]"),
             "The next event but NeedData: awaits `stream.read(n)` where more is needed.")
        .def(
            "send", [](connection& self, const http::request& sent) { return to_python(self.send(sent)); }, "event"_a,
            "What to send for an event. Raises LocalProtocolError if it may not be sent now.")
        .def(
            "send", [](connection& self, const http::response& sent) { return to_python(self.send(sent)); }, "event"_a)
        .def(
            "send",
            [](connection& self, const owned_data& sent) {
                return to_python(self.send(http::data{{sent.bytes.c_str(), sent.bytes.size()}}));
            },
            "event"_a)
        .def(
            "send", [](connection& self, const http::end_of_message& sent) { return to_python(self.send(sent)); },
            "event"_a)
        .def_prop_ro("waiting_for_continue", &connection::waiting_for_continue,
                     "Whether the client waits for a 100 (Continue) or a final response before it sends the body.")
        .def_prop_ro("must_close", &connection::must_close,
                     "Whether this side must close the connection when it has sent its message.")
        .def_prop_ro("sending", &connection::sending, "Whether this side is in the middle of a message.")
        .def_prop_ro("switched", &connection::switched, "Whether the connection is another protocol's now.")
        .def_prop_ro(
            "trailing_data", [](const connection& self) { return to_bytes(self.unread()); },
            "The received bytes that are no part of an event.");
}
