"""C++ that drives Python's coroutines and generators (raw_drive.cpp), beside a Python that does it."""

import asyncio
import random
import sys
import types
import warnings
import weakref
from collections.abc import Callable, Generator
from typing import Any

import native
import native_generators
import pytest
import raw_drive
import raw_generators
import raw_protocol
import support
from support import (
    VERSION,
    Boom,
    Outcome,
    Recorder,
    awaitable,
    collect,
    comparable,
    do_await,
    do_raise,
    do_return,
    do_yield,
    functions_in,
    outcome,
)
from test_protocol import exactly

Steps = list[tuple[str, Any]]
Iterator: Any = support.Iterator  # native's types ask for more of an awaitable than `await` does


def expected(coroutine: Any, steps: Steps) -> list[Outcome]:
    """What Python gets by the same steps. C++ cannot tell a close that returned None from one that returned nothing."""
    results = []
    for kind, operand in steps:
        if kind == "send":
            result = outcome(coroutine.send, operand)
        elif kind == "throw":
            result = outcome(coroutine.throw, operand)
        else:
            result = outcome(coroutine.close)
            if result[0] == "yielded":
                result = ("closed", None) if result[1] is None else ("returned", result[1])
        results.append(result)
    return results


@pytest.fixture(params=["throwing", "try"])
def throwing(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "throwing")


@pytest.fixture(params=["drive", "drive_erased"])
def drive(request: pytest.FixtureRequest, throwing: bool) -> Callable[[Any, Steps], list[Outcome]]:
    """python_coroutine, and any_coroutine of one."""
    function = getattr(raw_drive, request.param)
    return lambda driven, steps: function(driven, steps, throwing)


@types.coroutine
def generator_based(items: list[Any]) -> Generator[Any, Any, Any]:
    return (yield from native_generators.yields(items))


# ---- coroutines ----------------------------------------------------------------------------------

TO_ITS_END: Steps = [("send", None), ("send", "a"), ("send", "b"), ("send", None)]


@pytest.mark.parametrize(
    "make", [native.yields, raw_protocol.yields, generator_based, raw_generators.yields_as_coroutine]
)
def test_to_its_end(drive: Any, make: Any) -> None:
    assert [comparable(r) for r in drive(make([1, 2]), TO_ITS_END)] == [
        comparable(r) for r in expected(make([1, 2]), TO_ITS_END)
    ]


def test_what_await_gives_is_driven(drive: Any) -> None:
    assert drive(Iterator(1, result=2), [("send", None), ("send", None)]) == [("yielded", 1), ("returned", 2)]
    recorder = Recorder(1, 2, result=3)
    steps: Steps = [("send", None), ("send", "a"), ("send", None), ("close", None)]
    assert drive(awaitable(lambda: recorder), steps)[:3] == [("yielded", 1), ("yielded", 2), ("returned", 3)]
    assert recorder.calls == [("next",), ("send", "a"), ("next",), ("close",)]


def test_misuse_is_pythons_own(drive: Any) -> None:
    unstarted = "can't send non-None value to a just-started coroutine"
    assert comparable(drive(native.nothing(), [("send", 1), ("close", None)])[0]) == ("raised", (TypeError, unstarted))
    reused = drive(native.nothing(), [("send", None), ("send", None), ("throw", Boom()), ("close", None)])
    text = "cannot reuse already awaited coroutine"
    assert [comparable(r) for r in reused] == [
        ("returned", None),
        ("raised", (RuntimeError, text)),
        ("raised", (RuntimeError, text)),
        ("closed", None),
    ]


@pytest.mark.parametrize("wrong", [1, None, "text", native_generators.count(1), raw_generators.count(1), native.value])
def test_7_1_7_2_what_is_not_awaitable(wrong: Any) -> None:
    name = type(wrong).__name__
    text = f"object {name} can't be used in 'await' expression"
    if VERSION >= (3, 14):
        text = f"'{name}' object can't be awaited"
    with pytest.raises(TypeError, match=exactly(text)):
        raw_drive.drive(wrong, [], True)


def test_7_3_7_4_what_await_must_give() -> None:
    def fail() -> Any:
        raise Boom("b")

    with pytest.raises(Boom, match="b"):
        raw_drive.drive(awaitable(fail), [], True)
    with pytest.raises(TypeError, match="non-iterator of type 'int'|must return an iterator, not int"):
        raw_drive.drive(awaitable(lambda: 1), [], True)


def test_errors_keep_identity_and_traceback(drive: Any) -> None:
    error, context = Boom("b"), KeyError("k")
    error.__cause__ = context

    async def fail() -> None:
        raise error

    assert drive(native.pass_through(fail()), [("send", None)]) == [("raised", error)]
    assert error.__cause__ is context
    assert functions_in(error)[-2:] == ["pass_through", "fail"]


def test_what_is_thrown_in(drive: Any) -> None:
    error = Boom("b")
    steps: Steps = [("send", None), ("throw", error), ("send", None)]
    handled = native.script([do_yield(1, Boom, [do_yield(2), do_return(3)])])
    assert drive(handled, steps) == [("yielded", 1), ("yielded", 2), ("returned", 3)]
    assert drive(native.yields([1]), steps[:2]) == [("yielded", 1), ("raised", error)]
    assert drive(native.script([do_yield(1, Boom, [do_return(3)])]), steps[:2]) == [("yielded", 1), ("returned", 3)]


def test_5_21_5_22_without_throw(drive: Any) -> None:
    class Broken(support.Iterator):
        @property
        def throw(self) -> Any:
            raise OSError("lookup")

    error = Boom("b")
    steps: Steps = [("send", None), ("throw", error), ("send", None)]
    assert drive(Iterator(1, 2), steps) == [("yielded", 1), ("raised", error), ("yielded", 2)]
    results = [comparable(r) for r in drive(Broken(1, 2), steps)]
    assert results == [("yielded", 1), ("raised", (OSError, "lookup")), ("yielded", 2)]


@pytest.mark.parametrize("error", [GeneratorExit("g"), KeyboardInterrupt("k"), asyncio.CancelledError("c")], ids=repr)
def test_errors_that_are_no_exceptions(drive: Any, error: BaseException) -> None:
    assert drive(native.yields([1]), [("send", None), ("throw", error)]) == [("yielded", 1), ("raised", error)]


def test_close(drive: Any, unraisable: list[Any]) -> None:
    log: list[str] = []
    assert drive(native.guarded(Iterator(1), log), [("send", None), ("close", None), ("close", None)]) == [
        ("yielded", 1),
        ("closed", None),
        ("closed", None),
    ]
    assert log == ["inner guard", "outer guard"]
    returning = native.script([do_yield(1, GeneratorExit, [do_return(2)])])
    value = ("returned", 2) if VERSION >= (3, 13) else ("closed", None)
    assert drive(returning, [("send", None), ("close", None)])[1] == value
    ignoring = native.script([do_yield(1, GeneratorExit, [do_yield(2)])])
    results = drive(ignoring, [("send", None), ("close", None)])
    assert comparable(results[1]) == ("raised", (RuntimeError, "coroutine ignored GeneratorExit"))
    assert unraisable == []


def test_12_1_dropping_it_closes_it() -> None:
    log: list[str] = []
    assert raw_drive.drive(native.guarded(Iterator(1), log), [("send", None)], True) == [("yielded", 1)]
    assert log == ["inner guard", "outer guard"]


def test_a_coroutine_that_was_started(drive: Any) -> None:
    coroutine = native.yields([1, 2])
    coroutine.send(None)
    assert drive(coroutine, [("send", "a"), ("send", "b")]) == [("yielded", 2), ("returned", ["a", "b"])]


def test_the_states() -> None:
    for make in (native.yields, raw_generators.yields_as_coroutine, generator_based):
        coroutine: Any = make([1])
        assert raw_drive.state(coroutine) == "created"
        coroutine.send(None)
        assert raw_drive.state(coroutine) == "suspended"
        assert outcome(coroutine.send, None)[0] == "returned"
        assert raw_drive.state(coroutine) == "closed"
    seen: list[str] = []

    async def look() -> None:
        seen.append(raw_drive.state(coroutine))

    coroutine = look()
    outcome(coroutine.send, None)
    assert seen == ["running"]
    assert raw_drive.state(Iterator()) == "unknown"
    generator = native_generators.count(1)
    assert raw_drive.generator_state(generator) == "created"
    list(generator)
    assert raw_drive.generator_state(generator) == "closed"


def test_an_empty_one_is_finished() -> None:
    refused, closed, state = raw_drive.empty()
    assert comparable(refused) == ("raised", (RuntimeError, "cannot reuse already awaited coroutine"))
    assert (closed, state) == (("closed", None), "closed")
    awaited = comparable(outcome(raw_drive.await_empty().send, None))
    assert awaited == ("raised", (RuntimeError, "cannot reuse already awaited coroutine"))


def test_run() -> None:
    async def main() -> Any:
        first = await native.once("first")
        try:
            await native.once("fail")
        except Boom as e:
            return (first, str(e))

    def handler(request: str) -> str:
        if request == "fail":
            raise Boom("from the handler")
        return request.upper()

    assert raw_drive.run(main(), handler) == ("FIRST", "from the handler")
    assert raw_drive.run(raw_protocol.pass_through(native.pass_through(main())), handler)[0] == "FIRST"
    error = Boom()
    with pytest.raises(Boom) as caught:
        raw_drive.run(native.script([do_await(Iterator(1)), ("raise", error, None, [])]), lambda _: None)
    assert caught.value is error


def test_without_the_gil_it_can_only_be_destroyed() -> None:
    log: list[str] = []
    coroutine = native.guarded(Iterator(1), log)
    coroutine.send(None)
    reference = weakref.ref(coroutine)
    assert "without the GIL" in raw_drive.without_gil(coroutine)
    del coroutine
    raw_drive.drive(native.nothing(), [("send", None)], True)  # the next step drops what is queued
    assert reference() is None
    assert log == ["inner guard", "outer guard"]


def test_13_3_many_levels_raise_recursion_error() -> None:
    chain = [native.value(1)]
    for _ in range(20_000):
        chain.append(raw_drive.await_erased(chain[-1]))
    with pytest.raises(RecursionError):
        chain[-1].send(None)
    while chain:
        chain.pop().close()


# ---- awaiting one --------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["await_driven", "await_moved", "await_erased"])
def test_it_can_be_awaited(function: str) -> None:
    await_it = getattr(raw_drive, function)
    for make in (native.yields, raw_protocol.yields, generator_based, raw_generators.yields_as_coroutine):
        coroutine = await_it(make([1, 2]))
        assert [coroutine.send(None), coroutine.send("a")] == [1, 2]
        assert outcome(coroutine.send, "b") == ("returned", ["a", "b"])
    error = Boom()
    coroutine = await_it(native.yields([1]))
    coroutine.send(None)
    assert outcome(coroutine.throw, error) == ("raised", error)
    log: list[str] = []
    coroutine = await_it(native.guarded(Iterator(1), log))
    coroutine.send(None)
    coroutine.close()
    assert log == ["inner guard", "outer guard"]
    assert asyncio.run(await_it(asyncio.sleep(0.001, "slept"))) == "slept"


@pytest.mark.parametrize("make", [native.yields, raw_protocol.yields])
def test_7_7_7_9_one_that_was_started(make: Any) -> None:
    coroutine = raw_drive.await_started(make([1, 2]), False)
    with pytest.raises(RuntimeError, match=exactly("coroutine is being awaited already")):
        coroutine.send(None)
    coroutine = raw_drive.await_started(make([1, 2]), True)
    assert coroutine.send(None) == 2
    assert outcome(coroutine.send, "b") == ("returned", [None, "b"])


def test_the_result_is_converted() -> None:
    assert outcome(raw_drive.await_int(native.value(7)).send, None) == ("returned", 7)
    with pytest.raises(TypeError):
        raw_drive.await_int(native.value("text")).send(None)


def test_what_is_awaited_is_seen_by_the_garbage_collector() -> None:
    owner = Recorder(1)
    owner.coroutine = raw_drive.await_moved(owner)  # type: ignore[attr-defined]
    owner.coroutine.send(None)  # type: ignore[attr-defined]
    reference = weakref.ref(owner)
    del owner
    collect()
    assert reference() is None


# ---- generators ----------------------------------------------------------------------------------


def test_generators_are_driven(throwing: bool) -> None:
    steps: Steps = [("send", None), ("send", "a"), ("throw", error := Boom()), ("send", None), ("close", None)]
    for make in (native_generators.yields, raw_generators.yields):
        results = raw_drive.drive_generator(make([1, 2, 3]), steps, throwing)
        assert results == [("yielded", 1), ("yielded", 2), ("raised", error), ("returned", None), ("closed", None)]
    assert raw_drive.drive_generator([1], [("send", None), ("send", None)], throwing) == [
        ("yielded", 1),
        ("returned", None),
    ]
    with pytest.raises(TypeError, match=exactly("'int' object is not iterable")):
        raw_drive.drive_generator(1, [], throwing)


def test_a_generator_can_yield_from_one() -> None:
    generator = raw_drive.pass_through(native_generators.yields([1, 2]))
    assert [next(generator), generator.send("a")] == [1, 2]
    assert outcome(generator.send, "b") == ("returned", ["a", "b"])
    assert list(raw_drive.pass_through("abc")) == ["a", "b", "c"]
    log: list[str] = []
    generator = raw_drive.pass_through(native_generators.guarded([1], log))
    next(generator)
    generator.close()
    assert log == ["inner guard", "outer guard"]


# ---- differential --------------------------------------------------------------------------------


def test_random_programs(drive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    first = random.SystemRandom().randrange(10**9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # not every coroutine is awaited
        for seed in range(first, first + 200):
            chance = random.Random(seed)
            program = [
                do_yield(i, chance.choice([None, Boom, GeneratorExit, BaseException]), [do_yield(-i), do_return(i)])
                for i in range(chance.randint(0, 4))
            ]
            steps: Steps = []
            for _ in range(6):
                kind = chance.choice(["send", "send", "send", "throw", "close"])
                operand = {"send": chance.choice([None, 1]), "throw": chance.choice([Boom("b"), GeneratorExit("g")])}
                steps.append((kind, operand.get(kind)))
            got = [comparable(r) for r in drive(native.script(program), steps)]
            assert got == [comparable(r) for r in expected(native.script(program), steps)], f"seed {seed}"
        support.collect()


def test_6_5_what_was_not_closed_is_driven_by_cpp() -> None:
    """It awaits one of our objects by then, whose error needs no step of Python's to come from."""
    inner = raw_protocol.pass_through(native.script([do_yield(1), do_raise(Boom("in the end"))]))
    coroutine = raw_drive.drives_what_was_not_closed(inner)
    assert coroutine.send(None) is None
    with pytest.raises(Boom, match="in the end"):
        coroutine.close()
