"""Exceptions between the languages: identity, cause, context, traceback, and what C++ ones become."""

import asyncio
import errno
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import native
import pytest
import raw_exceptions as raw
import raw_protocol
from support import Boom, Iterator, Recorder, awaitable, fail, finish, functions_in, generator_awaitable, outcome, tower

ALL = [
    Boom("b"),
    ValueError("v"),
    KeyboardInterrupt("k"),
    SystemExit(1),
    asyncio.CancelledError("c"),
    GeneratorExit("g"),
    BaseExceptionGroup("group", [KeyboardInterrupt()]),
    StopAsyncIteration("s"),
]


# ---- from Python to C++ and back -----------------------------------------------------------------


@pytest.mark.parametrize("error", ALL, ids=repr)
def test_identity(error: BaseException) -> None:
    for levels in (1, 2, 7):
        coroutine = tower(levels, fail(error), raw_protocol, native)
        assert outcome(coroutine.send, None) == ("raised", error)
    assert finish(raw.caught(fail(error))) is error
    for how in ("pointer", "copy"):
        coroutine = raw.reraise_later(fail(error), native.yields([1]), how)
        assert coroutine.send(None) == 1
        assert outcome(coroutine.send, None) == ("raised", error)


@pytest.mark.parametrize("error", ALL, ids=repr)
def test_identity_of_what_is_thrown_in(error: BaseException) -> None:
    for levels in (1, 2, 7):
        coroutine = tower(levels, native.yields([1]), raw_protocol, native)
        coroutine.send(None)
        assert outcome(coroutine.throw, error) == ("raised", error)


@pytest.mark.parametrize(
    ("error", "handler"),
    [
        (Boom("b"), "py::error Boom: b"),
        (Boom(), "py::error Boom"),
        (ValueError("v"), "py::error ValueError: v"),
        (StopAsyncIteration("s"), "py::error StopAsyncIteration: s"),
        (ExceptionGroup("g", [Boom()]), "py::error ExceptionGroup: g (1 sub-exception)"),
        (GeneratorExit("g"), "generator_exit"),
        (KeyboardInterrupt("k"), "py::base_exception KeyboardInterrupt: k"),
        (SystemExit(1), "py::base_exception SystemExit: 1"),
        (asyncio.CancelledError("c"), "py::base_exception CancelledError: c"),
        (BaseExceptionGroup("g", [KeyboardInterrupt()]), "py::base_exception BaseExceptionGroup: g (1 sub-exception)"),
    ],
    ids=repr,
)
def test_which_handler_catches_it(error: BaseException, handler: str) -> None:
    assert finish(raw.handler_of(fail(error))) == handler
    coroutine = raw.handler_of(native.yields([1]))
    coroutine.send(None)
    assert outcome(coroutine.throw, error) == ("returned", handler)


def test_a_text_that_cannot_be_made() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise Boom

    assert finish(raw.handler_of(fail(Odd()))) == "py::error Odd"
    assert finish(raw.handler_of(fail(Boom("\udc80")))) == "py::error Boom"


def test_matches() -> None:
    assert finish(raw.matches(fail(KeyError()), LookupError)) is True
    assert finish(raw.matches(fail(KeyError()), (ValueError, KeyError))) is True
    assert finish(raw.matches(fail(KeyError()), ValueError)) is False


def test_cause_context_and_notes_are_kept(language: Any) -> None:
    error, cause, context = Boom(), KeyError("cause"), ValueError("context")
    error.__cause__ = cause
    error.__context__ = context
    error.add_note("note")
    assert outcome(language.pass_through(fail(error)).send, None) == ("raised", error)
    assert error.__cause__ is cause
    assert error.__context__ is context
    assert error.__notes__ == ["note"]
    coroutine = language.pass_through(native.yields([1]))
    coroutine.send(None)
    assert outcome(coroutine.throw, error) == ("raised", error)
    assert error.__cause__ is cause
    assert error.__context__ is context


def test_the_traceback_is_kept_and_grows(language: Any) -> None:
    error = Boom()
    coroutine = tower(3, fail(error), language, native)
    assert outcome(coroutine.send, None) == ("raised", error)
    above = ["outcome", "pass_through", "pass_through"]
    assert functions_in(error) == [*above, "pass_through", "fail"]
    coroutine = tower(2, native.script([("await", fail(error), None, [])]), language, native)
    assert outcome(coroutine.send, None) == ("raised", error)
    assert functions_in(error) == [*above, "script", "fail", *above, "pass_through", "fail"]


def test_the_traceback_survives_a_cpp_handler() -> None:
    for how in ("pointer", "copy"):
        error = Boom()
        with pytest.raises(Boom):
            finish(raw.reraise_later(fail(error), native.nothing(), how))
        assert functions_in(error)[-2:] == ["reraise_later", "fail"]


@pytest.mark.parametrize("error", ALL, ids=repr)
def test_an_exception_is_wrapped_by_cpp(error: BaseException) -> None:
    assert outcome(raw.throw_wrapped, error, "base") == ("raised", error)
    if isinstance(error, Exception):
        assert outcome(raw.throw_wrapped, error, "error") == ("raised", error)
    else:
        with pytest.raises(TypeError, match=r"^isthmus: py::error needs an instance of Exception$"):
            raw.throw_wrapped(error, "error")


def test_what_is_no_exception_is_not_wrapped() -> None:
    for value, how in ((1, "base"), (None, "base"), (Boom, "base"), (Boom(), "null")):
        with pytest.raises(TypeError, match=r"^isthmus: py::base_exception needs an instance of BaseException$"):
            raw.throw_wrapped(value, how)
    with pytest.raises(TypeError, match=r"^isthmus: py::error needs an instance of Exception$"):
        raw.throw_wrapped(1, "error")


def test_a_new_error_is_an_exception() -> None:
    with pytest.raises(Boom, match=r"^new$"):
        raw.throw_new(Boom)
    with pytest.raises(TypeError, match=r"^isthmus: py::error needs an instance of Exception$"):
        raw.throw_new(KeyboardInterrupt)
    with pytest.raises(SystemError, match="not a BaseException subclass"):
        raw.throw_new(int)


def test_raise_from() -> None:
    error = Boom()
    with pytest.raises(LookupError, match=r"^raised$") as caught:
        finish(raw.raise_from(fail(error)))
    assert caught.value.__cause__ is error
    assert caught.value.__context__ is error
    assert caught.value.__suppress_context__


def test_a_cpp_throw_in_a_handler_sets_no_context() -> None:
    with pytest.raises(LookupError) as caught:
        finish(raw.raise_in_handler(fail(Boom())))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_python_runs_without_an_exception_set() -> None:
    def function() -> str:
        assert outcome(int, "x")[0] == "raised"
        return "called"

    assert finish(raw.call_in_handler(fail(Boom()), function)) == "called"


def test_the_exception_dies_with_its_last_user() -> None:
    import weakref

    class Weak(Exception):
        pass

    def run() -> weakref.ref[Weak]:
        error = Weak()
        reference = weakref.ref(error)
        for make in (raw.handler_of, raw_protocol.pass_through, raw.raise_in_handler):
            coroutine = make(fail(error))
            outcome(coroutine.send, None)
            error.__traceback__ = None
        return reference

    import gc

    reference = run()
    gc.collect()
    assert reference() is None


# ---- what C++ throws -----------------------------------------------------------------------------

MAPPING: list[tuple[str, type[BaseException], str]] = [
    ("bad_alloc", MemoryError, ""),
    ("domain_error", ValueError, "text"),
    ("invalid_argument", ValueError, "text"),
    ("length_error", ValueError, "text"),
    ("out_of_range", IndexError, "text"),
    ("range_error", ValueError, "text"),
    ("overflow_error", OverflowError, "text"),
    ("underflow_error", RuntimeError, "text"),
    ("logic_error", RuntimeError, "text"),
    ("runtime_error", RuntimeError, "text"),
    ("system_error", FileNotFoundError, "[Errno 2] text: No such file or directory"),
    ("system_error of the system", PermissionError, "[Errno 13] text: Permission denied"),
    ("system_error of a library", RuntimeError, "text: No associated state"),
    ("filesystem_error", FileExistsError, "[Errno 17] filesystem error: text: File exists"),
    ("future_error", RuntimeError, "std::future_error: Broken promise"),
    ("bad_cast", RuntimeError, "std::bad_cast"),
    ("generator_exit", GeneratorExit, ""),
    ("already_executing", ValueError, "coroutine already executing"),
    ("already_finished", RuntimeError, "cannot reuse already awaited coroutine"),
    ("send_to_unstarted", TypeError, "can't send non-None value to a just-started coroutine"),
    ("own_type_error", TypeError, "of my own"),
    ("protocol_error", RuntimeError, "text"),
    ("py::error", LookupError, "text"),
    ("no exception", SystemError, "isthmus: a Python call failed without an exception"),
    ("an int", RuntimeError, "an unknown C++ exception"),
]


@pytest.mark.parametrize(("kind", "expected", "text"), MAPPING)
def test_the_standard_mapping(kind: str, expected: type[BaseException], text: str) -> None:
    coroutine = raw.fail(kind)
    with pytest.raises(expected) as caught:
        coroutine.send(None)
    assert type(caught.value) is expected
    assert str(caught.value) == text
    with pytest.raises(RuntimeError, match="cannot reuse"):
        coroutine.send(None)


@pytest.mark.parametrize("fail", [raw.fail, raw.fail_to_convert])
def test_an_exception_of_another_language(fail: Callable[[str], Any]) -> None:
    """It cannot be kept, but is an error all the same."""
    with pytest.raises(RuntimeError, match="std::bad_exception"):
        fail("foreign").send(None)


def test_an_os_error_has_its_number() -> None:
    with pytest.raises(OSError, match="text") as caught:
        finish(raw.fail("system_error"))
    assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize(("kind", "expected", "text"), [row for row in MAPPING if row[0] != "generator_exit"])
def test_what_cpp_throws_into_python(kind: str, expected: type[BaseException], text: str) -> None:
    seen: list[BaseException] = []

    def generator() -> Generator[int, None, str]:
        try:
            yield 1
        except BaseException as e:
            seen.append(e)
        return "went on"

    assert raw.throw_cpp_into(generator_awaitable(generator()), kind) == "went on"
    assert [type(e) for e in seen] == [expected]
    assert str(seen[0]) == text


def test_what_cpp_throws_into_python_closes_it_if_it_is_an_exit() -> None:
    awaited = Recorder(1)
    with pytest.raises(GeneratorExit):
        raw.throw_cpp_into(awaited, "generator_exit")
    assert awaited.calls == [("next",), ("close",)]


def test_cpp_exceptions_have_the_drivers_context() -> None:
    coroutine = raw.fail("runtime_error")
    try:
        raise KeyError
    except KeyError as handled:
        with pytest.raises(RuntimeError) as caught:
            coroutine.send(None)
        assert caught.value.__context__ is handled


def test_pep_479_holds_for_what_is_awaited(language: Any) -> None:
    stop = StopIteration("v")

    def fails() -> Any:
        raise stop

    with pytest.raises(RuntimeError, match=r"^coroutine raised StopIteration$") as caught:
        finish(language.pass_through(awaitable(fails)))
    assert caught.value.__cause__ is stop


# ---- conversions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (raw.await_int, -(2**31)),
        (raw.await_int, True),
        (raw.await_unsigned, 2**32 - 1),
        (raw.await_bool, True),
        (raw.await_bool, False),
        (raw.await_double, 1.5),
        (raw.await_double, 2),
        (raw.await_string, "täxt\0with zero"),
        (raw.await_string, ""),
    ],
)
def test_results_are_converted(make: Callable[[Any], Coroutine[Any, Any, Any]], value: object) -> None:
    assert finish(make(native.value(value))) == value


def test_void_drops_the_result() -> None:
    assert finish(raw.await_void(native.value("dropped"))) is None


@pytest.mark.parametrize(
    ("make", "value", "error"),
    [
        (raw.await_int, 2**31, OverflowError),
        (raw.await_int, 2**100, OverflowError),
        (raw.await_int, "1", TypeError),
        (raw.await_int, 1.5, TypeError),
        (raw.await_unsigned, -1, OverflowError),
        (raw.await_unsigned, 2**32, OverflowError),
        (raw.await_unsigned, None, TypeError),
        (raw.await_bool, 1, TypeError),
        (raw.await_double, "1", TypeError),
        (raw.await_string, 1, TypeError),
        (raw.await_string, "\udc80", UnicodeEncodeError),
    ],
)
def test_a_wrong_result_is_an_error_at_the_await(
    make: Callable[[Any], Coroutine[Any, Any, Any]], value: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        finish(make(native.value(value)))


def test_none_is_sent_where_no_value_is() -> None:
    coroutine = raw_protocol.pass_through(Iterator(1, None, 3, result=4))
    assert [coroutine.send(None) for _ in range(3)] == [1, None, 3]
    assert outcome(coroutine.send, None) == ("returned", 4)
