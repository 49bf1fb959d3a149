// examples/postgres/convert.cpp — rows and exceptions to Python, with CPython's C API.
// SPDX-License-Identifier: MIT

#include "convert.hpp"

#include <datetime.h>
#include <libpq-fe.h>

#include <charconv>
#include <string_view>
#include <system_error>

namespace py = isthmus::py;

python_types& python_types::get() {
    static python_types types{}; // never released: values may be converted as long as there is an interpreter
    return types;
}

// ---- values
// ----------------------------------------------------------------------------------------------------------

namespace {

PyObject *data_error, *operational_error; // made below

[[noreturn]] void fail_to_read(const char* type, std::string_view text) {
    throw py::error(data_error, ("Python has no " + std::string(type) + " for " + std::string(text)).c_str());
}

py::object read_text(std::string_view text) {
    return py::checked(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr));
}

py::object read_bool(std::string_view text) { return py::checked(PyBool_FromLong(text == "t")); }

py::object read_integer(std::string_view text) {
    long long number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return py::checked(PyLong_FromLongLong(number));
}

py::object read_float(std::string_view text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number); // "NaN", "Infinity" too
    if (error != std::errc()) {
        fail_to_read("float", text);
    }
    return py::checked(PyFloat_FromDouble(number));
}

py::object read_bytes(std::string_view text) { // which a null character follows
    struct free {
        void operator()(unsigned char* owned) const noexcept { PQfreemem(owned); }
    };
    std::size_t size = 0;
    const std::unique_ptr<unsigned char, free> bytes(
        PQunescapeBytea(reinterpret_cast<const unsigned char*>(text.data()), &size));
    if (bytes == nullptr) {
        throw std::bad_alloc();
    }
    return py::checked(
        PyBytes_FromStringAndSize(reinterpret_cast<const char*>(bytes.get()), static_cast<Py_ssize_t>(size)));
}

py::object call(PyObject* function, std::string_view text) {
    const py::object argument = read_text(text);
    return py::checked(PyObject_CallOneArg(function, argument.ptr()));
}
py::object read_numeric(std::string_view text) { return call(python_types::get().decimal, text); }
py::object read_uuid(std::string_view text) { return call(python_types::get().uuid, text); }
py::object read_json(std::string_view text) { return call(python_types::get().loads, text); }
py::object read_time(std::string_view text) { return call(python_types::get().time, text); }

/// Takes what it has read off the text.
class scanner {
public:
    explicit scanner(std::string_view text) noexcept : left_(text) {}
    int number(std::size_t digits) {
        int value = 0;
        const auto [end, error] = std::from_chars(left_.data(), left_.data() + std::min(digits, left_.size()), value);
        good_ = good_ && error == std::errc() && end == left_.data() + digits;
        left_.remove_prefix(std::min(digits, left_.size()));
        return value;
    }
    bool skip(char c) noexcept {
        const bool there = left_.starts_with(c);
        left_.remove_prefix(there ? 1 : 0);
        return there;
    }
    void expect(char c) noexcept { good_ = skip(c) && good_; }
    int microseconds() {
        int value = 0;
        int digits = 0;
        for (; digits < 6 && !left_.empty() && left_.front() >= '0' && left_.front() <= '9'; ++digits) {
            value = 10 * value + (left_.front() - '0');
            left_.remove_prefix(1);
        }
        for (; digits < 6; ++digits) {
            value *= 10;
        }
        return value;
    }
    bool at_end() const noexcept { return good_ && left_.empty(); }

private:
    std::string_view left_;
    bool good_ = true;
};

struct day {
    int year, month, number;
};
/// 2024-02-29
day scan_day(scanner& from) {
    const int year = from.number(4);
    from.expect('-');
    const int month = from.number(2);
    from.expect('-');
    return {year, month, from.number(2)};
}

py::object read_date(std::string_view text) {
    scanner from(text);
    const day d = scan_day(from);
    if (!from.at_end()) { // infinity, 20000-01-01, 0044-03-15 BC, or another DateStyle
        fail_to_read("date", text);
    }
    return py::checked(PyDate_FromDate(d.year, d.month, d.number));
}

/// +02, -03:30 or +00:19:32
py::object scan_zone(scanner& from) {
    const bool east = from.skip('+');
    if (!east) {
        from.expect('-');
    }
    int seconds = from.number(2) * 3600;
    seconds += from.skip(':') ? from.number(2) * 60 : 0;
    seconds += from.skip(':') ? from.number(2) : 0;
    if (seconds == 0) {
        return py::object::borrow(PyDateTime_TimeZone_UTC);
    }
    const py::object offset = py::checked(PyDelta_FromDSU(0, east ? seconds : -seconds, 0));
    return py::checked(PyTimeZone_FromOffset(offset.ptr()));
}

template <bool WithZone>
py::object read_timestamp(std::string_view text) { // 2024-02-29 12:30:00.25+01
    scanner from(text);
    const day d = scan_day(from);
    from.expect(' ');
    const int hour = from.number(2);
    from.expect(':');
    const int minute = from.number(2);
    from.expect(':');
    const int second = from.number(2);
    const int fraction = from.skip('.') ? from.microseconds() : 0;
    const py::object zone = WithZone ? scan_zone(from) : py::object::make_none();
    if (!from.at_end()) {
        fail_to_read("datetime", text);
    }
    return py::checked(PyDateTimeAPI->DateTime_FromDateAndTime(d.year, d.month, d.number, hour, minute, second,
                                                               fraction, zone.ptr(), PyDateTimeAPI->DateTimeType));
}

/// How values of a type are read; an array, how its elements are.
struct reader {
    py::object (*read)(std::string_view);
    bool is_array = false;
};

reader reader_of(unsigned type) noexcept {
    switch (type) { // pg_type.oid
    case 16:
        return {read_bool};
    case 17:
        return {read_bytes};
    case 20: // int8
    case 21: // int2
    case 23: // int4
    case 26: // oid
        return {read_integer};
    case 114:  // json
    case 3802: // jsonb
        return {read_json};
    case 700: // float4
    case 701: // float8
        return {read_float};
    case 1082:
        return {read_date};
    case 1083:
        return {read_time};
    case 1114:
        return {read_timestamp<false>};
    case 1184:
        return {read_timestamp<true>};
    case 1700:
        return {read_numeric};
    case 2950:
        return {read_uuid};
    case 1000:
        return {read_bool, true};
    case 1001:
        return {read_bytes, true};
    case 1005: // int2[]
    case 1007: // int4[]
    case 1016: // int8[]
    case 1028: // oid[]
        return {read_integer, true};
    case 199:  // json[]
    case 3807: // jsonb[]
        return {read_json, true};
    case 1021: // float4[]
    case 1022: // float8[]
        return {read_float, true};
    case 1182:
        return {read_date, true};
    case 1183:
        return {read_time, true};
    case 1115:
        return {read_timestamp<false>, true};
    case 1185:
        return {read_timestamp<true>, true};
    case 1231:
        return {read_numeric, true};
    case 2951:
        return {read_uuid, true};
    case 1002: // char[]
    case 1003: // name[]
    case 1009: // text[]
    case 1014: // bpchar[]
    case 1015: // varchar[]
        return {read_text, true};
    default:
        return {read_text};
    }
}

/// One array, and those in it: {1,NULL,"a \"quoted\" text",{3}}. `position` is that of its brace, then of what follows.
py::object read_array(std::string_view text, std::size_t& position, py::object (*read)(std::string_view)) {
    py::object list = py::checked(PyList_New(0));
    const auto append = [&list](const py::object& element) {
        if (PyList_Append(list.ptr(), element.ptr()) < 0) {
            py::throw_raised();
        }
    };
    ++position;
    while (text[position] != '}') {
        if (text[position] == ',') {
            ++position;
        } else if (text[position] == '{') {
            append(read_array(text, position, read));
        } else if (text[position] == '"') {
            std::string element;
            for (++position; text[position] != '"'; ++position) {
                position += text[position] == '\\' ? 1 : 0;
                element += text[position];
            }
            ++position;
            append(read(element));
        } else {
            const std::size_t end = text.find_first_of(",}", position);
            const std::string element(text.substr(position, end - position));
            append(element == "NULL" ? py::object::make_none() : read(element));
            position = end;
        }
    }
    ++position;
    return list;
}

py::object read_value(const pg::result& from, std::size_t row, std::size_t column, const reader& how) {
    const std::optional<std::string_view> text = from.value(row, column);
    if (!text) {
        return py::object::make_none();
    }
    if (!how.is_array) {
        return how.read(*text);
    }
    std::size_t position = text->find('{'); // after its bounds, if they are not the usual ones: [0:1]={1,2}
    return read_array(*text, position, how.read);
}

std::vector<reader> readers_of(const pg::result& from) {
    std::vector<reader> readers;
    for (std::size_t column = 0; column < from.columns(); ++column) {
        readers.push_back(reader_of(from.type(column)));
    }
    return readers;
}

py::object read_row(const pg::result& from, std::size_t row, const std::vector<reader>& readers) {
    py::object made = py::checked(PyTuple_New(static_cast<Py_ssize_t>(readers.size())));
    for (std::size_t column = 0; column < readers.size(); ++column) {
        PyTuple_SET_ITEM(made.ptr(), static_cast<Py_ssize_t>(column),
                         read_value(from, row, column, readers[column]).release());
    }
    return made;
}

} // namespace

row_tuple to_tuple(const pg::result& from, std::size_t row) {
    return nanobind::steal<row_tuple>(read_row(from, row, readers_of(from)).release());
}

row_list to_list(const pg::result& from) {
    const std::vector<reader> readers = readers_of(from);
    py::object made = py::checked(PyList_New(static_cast<Py_ssize_t>(from.rows())));
    for (std::size_t row = 0; row < from.rows(); ++row) {
        PyList_SET_ITEM(made.ptr(), static_cast<Py_ssize_t>(row), read_row(from, row, readers).release());
    }
    return nanobind::steal<row_list>(made.release());
}

py::object to_object(const pg::result& from, std::size_t row) {
    if (from.columns() == 0) {
        return py::object::make_none();
    }
    return read_value(from, row, 0, reader_of(from.type(0)));
}

// ---- exceptions
// ------------------------------------------------------------------------------------------------------

namespace {

PyObject *interface_error, *database_error, *integrity_error, *internal_error, *programming_error, *not_supported_error,
    *query_canceled, *lost_error;

/// The first two characters of an SQLSTATE are its class.
PyObject* type_of(const std::string& sqlstate) noexcept {
    struct row {
        const char* classes;
        PyObject* type;
    };
    const row table[] = {
        {"0A", not_supported_error},
        {"20 21 3D 3F 42 44", programming_error},
        {"22", data_error},
        {"23", integrity_error},
        {"24 25 2B 2D 2F 38 39 3B P0 XX", internal_error},
        {"08 26 27 28 34 40 53 54 55 57 58 F0 HV", operational_error},
    };
    if (sqlstate == "57014") {
        return query_canceled;
    }
    for (const row& each : table) {
        if (sqlstate.size() == 5 && std::string_view(each.classes).find(sqlstate.substr(0, 2)) != std::string::npos) {
            return each.type;
        }
    }
    return database_error;
}

void raise(PyObject* type, const pg::error& e) {
    const pg::diagnostics& said = e.said();
    const nanobind::object made = nanobind::borrow(type)(nanobind::str(said.message.c_str(), said.message.size()));
    const auto set = [&made](const char* name, const std::string& text) {
        made.attr(name) = nanobind::str(text.c_str(), text.size());
    };
    set("sqlstate", said.sqlstate);
    set("severity", said.severity);
    set("detail", said.detail);
    set("hint", said.hint);
    set("schema", said.schema);
    set("table", said.table);
    set("column", said.column);
    set("constraint", said.constraint);
    if (!said.position.empty()) {
        made.attr("position") = std::stoi(said.position);
    }
    PyErr_SetObject(type, made.ptr());
}

void translate(const std::exception_ptr& exception, void*) {
    try {
        std::rethrow_exception(exception);
    } catch (const pg::misuse& e) {
        raise(interface_error, e);
    } catch (const pg::connection_lost& e) {
        raise(lost_error, e);
    } catch (const pg::error& e) {
        raise(type_of(e.said().sqlstate), e);
    }
}

PyObject* member_of(const char* module, const char* name) {
    const py::object found = py::checked(PyImport_ImportModule(module));
    return py::checked(PyObject_GetAttrString(found.ptr(), name)).release();
}

} // namespace

void define_conversions(nanobind::module_& module) {
    PyDateTime_IMPORT;
    const py::object time = py::object::steal(member_of("datetime", "time"));
    python_types::get() = {member_of("decimal", "Decimal"), member_of("uuid", "UUID"), member_of("json", "loads"),
                           member_of("json", "dumps"),
                           py::checked(PyObject_GetAttrString(time.ptr(), "fromisoformat")).release()};

    const auto define = [&module](const char* name, PyObject* base, const char* documentation) {
        const std::string full = std::string(PyModule_GetName(module.ptr())) + "." + name;
        nanobind::dict members;
        if (base == PyExc_Exception) {
            for (const char* field :
                 {"sqlstate", "severity", "detail", "hint", "schema", "table", "column", "constraint"}) {
                members[field] = nanobind::str("");
            }
            members["position"] = 0;
        }
        PyObject* const made =
            py::checked(PyErr_NewExceptionWithDoc(full.c_str(), documentation, base, members.ptr())).release();
        module.attr(name) = nanobind::borrow(made);
        return made;
    };
    PyObject* const error = define(
        "Error", PyExc_Exception,
        "Whatever is wrong. `sqlstate`, `severity`, `detail`, `hint`, `schema`, `table`, `column`, `constraint` and "
        "`position` are what the server says of it; empty, or 0, if it says nothing.");
    interface_error = define("InterfaceError", error,
                             "A wrong use that the server never sees: a closed connection, or one that is in use.");
    database_error = define("DatabaseError", error, "An error of the database.");
    data_error = define("DataError", database_error, "A value that does not fit, or cannot be read.");
    operational_error = define("OperationalError", database_error, "The server cannot do it now.");
    integrity_error = define("IntegrityError", database_error, "A constraint is violated.");
    internal_error = define("InternalError", database_error, "The transaction has failed before, for example.");
    programming_error = define("ProgrammingError", database_error, "Wrong SQL, or no permission.");
    not_supported_error = define("NotSupportedError", database_error, "PostgreSQL, or this client, cannot do that.");
    query_canceled = define("QueryCanceled", operational_error, "The command was cancelled.");
    lost_error = define("ConnectionLost", operational_error, "The connection could not be made, or broke.");
    nanobind::register_exception_translator(&translate);
}
