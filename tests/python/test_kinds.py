"""Other classes than py::coroutine that become coroutines in Python (raw_drive.cpp), and classes of Python's own that
derive from the abstract base classes, where C++ awaits and drives them.
"""

import asyncio
import collections.abc
import inspect
import warnings
from typing import Any

import native
import pytest
import raw_drive
import raw_protocol
from support import Boom, comparable, finish, outcome
from test_protocol import exactly

TICKERS = [raw_drive.make_ticker, raw_drive.make_nominal, raw_drive.make_erased]


@pytest.fixture(params=TICKERS, ids=["abc::coroutine", "std::unique_ptr", "any_coroutine"])
def make(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_it_is_a_coroutine(make: Any) -> None:
    log: list[Any] = []
    coroutine = make(2, log)
    assert (coroutine.__name__, coroutine.__qualname__) == ("ticker", "ticker")
    assert isinstance(coroutine, collections.abc.Coroutine)
    assert inspect.isawaitable(coroutine)
    assert asyncio.iscoroutine(coroutine)
    assert [coroutine.send(None), coroutine.send("a")] == [1, 2]
    assert outcome(coroutine.send, "b") == ("returned", 3)
    assert log == [("send", None), ("send", "a"), ("send", "b")]


def test_misuse_is_that_of_a_coroutine(make: Any) -> None:
    log: list[Any] = []
    coroutine = make(2, log)
    with pytest.raises(TypeError, match=exactly("can't send non-None value to a just-started coroutine")):
        coroutine.send(1)
    assert log == []
    assert coroutine.send(None) == 1
    with pytest.raises(RuntimeError, match=exactly("coroutine is being awaited already")):
        native.pass_through(coroutine).send(None)
    finish(coroutine)
    with pytest.raises(RuntimeError, match=exactly("cannot reuse already awaited coroutine")):
        coroutine.send(None)


def test_what_is_thrown_in(make: Any) -> None:
    log: list[Any] = []
    coroutine = make(2, log)
    coroutine.send(None)
    skipped, error = KeyError("k"), Boom("b")
    assert coroutine.throw(skipped) == 2
    assert outcome(coroutine.throw, error) == ("raised", error)
    assert [entry for entry in log if entry[0] == "throw"] == [("throw", skipped), ("throw", error)]
    before = make(2, log)
    assert outcome(before.throw, error) == ("raised", error)


def test_close(make: Any) -> None:
    log: list[Any] = []
    coroutine = make(2, log)
    coroutine.send(None)
    assert coroutine.close() is None
    assert [(name, type(thrown)) for name, thrown in log[1:]] == [("throw", GeneratorExit)]
    assert make(1, log).close() is None


def test_it_can_be_awaited(make: Any) -> None:
    async def main() -> Any:
        return await make(0, []), await native.pass_through(make(0, []))

    assert asyncio.run(main()) == (1, 1)


def test_one_that_never_started_warns(make: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make(1, [])
    assert [str(warning.message) for warning in caught] == ["coroutine 'ticker' was never awaited"]


def test_one_that_was_started_goes_on() -> None:
    coroutine = raw_drive.make_started(2, [])
    assert coroutine.send(None) == 2
    plain = raw_drive.make_started_plain(2)
    assert plain.send(None) is None
    assert outcome(plain.send, None) == ("returned", 42)


@pytest.mark.parametrize(
    ("make_it", "name"), [(raw_drive.make_countdown, "countdown"), (raw_drive.make_plain, "make_plain")]
)
def test_what_knows_no_python(make_it: Any, name: str) -> None:
    coroutine = make_it(2)
    assert coroutine.__name__ == name
    assert [coroutine.send(None), coroutine.send(None)] == [None, None]
    assert outcome(coroutine.send, None) == ("returned", 42)
    coroutine = make_it(1)
    coroutine.send(None)
    error = Boom("b")
    assert outcome(coroutine.throw, error) == ("raised", error)
    coroutine = make_it(1)
    coroutine.send(None)
    assert coroutine.close() is None

    async def main() -> Any:
        return await make_it(3)

    assert asyncio.run(main()) == 42


def test_an_empty_any_coroutine_is_finished() -> None:
    result = comparable(outcome(raw_drive.make_empty().send, None))
    assert result == ("raised", (RuntimeError, "cannot reuse already awaited coroutine"))


# ---- Python classes that derive from collections.abc ---------------------------------------------


Coroutine: Any = collections.abc.Coroutine  # in typeshed its close is abstract


class Own(Coroutine):  # type: ignore[misc]
    """A coroutine of the user's own, with what the base class gives: close, and what send and throw do there."""

    def __init__(self, ignores: bool = False) -> None:
        self.log: list[Any] = []
        self.ignores = ignores

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> "Own":
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        self.log.append(value)
        if len(self.log) < 3:
            return len(self.log)
        return super().send(value)

    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> Any:
        self.log.append(typ)
        if self.ignores:
            return "ignored"
        return super().throw(typ, val, tb)


@pytest.fixture(params=["native", "cpp", "cpp drives"])
def pass_through(request: pytest.FixtureRequest) -> Any:
    if request.param == "cpp drives":
        return raw_drive.await_driven
    return native.pass_through if request.param == "native" else raw_protocol.pass_through


def test_17_8_what_the_base_class_does(pass_through: Any) -> None:
    own = Own()
    coroutine = pass_through(own)
    assert [coroutine.send(None), coroutine.send("a")] == [1, 2]
    assert outcome(coroutine.send, "b") == ("returned", None)
    assert own.log == [None, "a", "b"]
    for thrown in (Boom("b"), Boom):
        coroutine = pass_through(Own())
        coroutine.send(None)
        assert comparable(outcome(coroutine.throw, thrown)) == ("raised", (Boom, "b" if thrown is not Boom else ""))

    class Nothing(collections.abc.Awaitable[None]):
        def __await__(self) -> Any:
            return super().__await__()

    coroutine = pass_through(Nothing())
    assert coroutine.send(None) is None
    assert outcome(coroutine.send, None) == ("returned", None)


def test_17_7_the_mixin_close(pass_through: Any) -> None:
    own = Own()
    coroutine = pass_through(own)
    coroutine.send(None)
    assert coroutine.close() is None
    assert own.log == [None, GeneratorExit]
    coroutine = pass_through(Own(ignores=True))
    coroutine.send(None)
    assert comparable(outcome(coroutine.close)) == ("raised", (RuntimeError, "coroutine ignored GeneratorExit"))


def test_17_5_a_registered_class_is_not_awaitable_for_that(pass_through: Any) -> None:
    class Registered:
        pass

    collections.abc.Coroutine.register(Registered)
    registered = Registered()
    assert isinstance(registered, collections.abc.Awaitable)
    assert inspect.isawaitable(registered)
    with pytest.raises(TypeError, match="can't be used in 'await' expression|can't be awaited"):
        pass_through(registered).send(None)
    with pytest.raises(TypeError, match="can't be used in 'await' expression|can't be awaited"):
        raw_drive.drive(registered, [], True)


def test_17_4_none_opts_out_of_awaiting(pass_through: Any) -> None:
    class Blocked(Own):
        __await__ = None  # type: ignore[assignment]

    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        pass_through(Blocked()).send(None)


def test_driving_one() -> None:
    assert raw_drive.drive(Own(), [("send", None), ("send", 1), ("close", None)], True) == [
        ("yielded", 1),
        ("yielded", 2),
        ("closed", None),
    ]
