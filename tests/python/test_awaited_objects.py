"""One of our own coroutine objects that C++ awaits is part of the chain, of whatever module it is: O(1), and otherwise
as between CPython's own coroutines, whose tests these are too."""

import gc
import inspect
import sysconfig
import traceback
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import native
import pytest
import raw_exceptions
import raw_isolation
import raw_isolation_twin
import raw_lifetime
import raw_protocol
from support import (
    GIVE,
    GUARDS,
    RERAISE,
    VERSION,
    Boom,
    Iterator,
    Recorder,
    awaitable,
    collect,
    comparable,
    do_await,
    do_call,
    do_log,
    do_note,
    do_raise,
    do_return,
    do_yield,
    finish,
    outcome,
    tower,
)

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
AWAITED = "coroutine is being awaited already"
EXECUTING = "coroutine already executing"
REUSE = "cannot reuse already awaited coroutine"

deep_chains = pytest.mark.skipif(FREE_THREADED, reason="without a GIL each object is a step")


def objects(levels: int, bottom: Any) -> Any:
    """Coroutine objects of two modules in turn, each awaiting the next one."""
    return tower(levels, bottom, raw_isolation, raw_isolation_twin)


# ---- what it costs -------------------------------------------------------------------------------


@deep_chains
@pytest.mark.parametrize("levels", [1, 2, 500])
def test_a_step_is_one_step_at_any_depth(levels: int) -> None:
    awaited = Recorder(1, 2, 3, result="end")
    coroutine = objects(levels + 1, awaited)
    expected: list[Any] = [("yielded", 1), ("yielded", 2), ("yielded", 3), ("returned", "end")]
    got: list[Any] = []
    for _ in expected:
        assert raw_isolation.count_steps(lambda: got.append(outcome(coroutine.send, None))) == 0
    assert got == expected


@deep_chains
def test_a_throw_and_a_close_are_one_step_too() -> None:
    for end, result in ((lambda c: c.throw(Boom("b")), ("raised", (Boom, "b"))), (lambda c: c.close(), None)):
        coroutine = objects(500, awaited := Recorder(1))
        coroutine.send(None)
        got: list[Any] = []
        assert raw_isolation.count_steps(lambda: got.append(outcome(end, coroutine))) == 0  # noqa: B023
        assert len(awaited.calls) == 2
        if result is not None:
            assert comparable(got[0]) == result
        assert outcome(coroutine.send, None)[0] == "raised"


@deep_chains
def test_a_started_object_joins_too() -> None:
    """One that was driven before it was awaited, and one that was taken from its awaiter meanwhile (7.9)."""
    inner = raw_isolation.pass_through(Iterator(*range(6)))
    outer = raw_isolation_twin.pass_through(inner)
    assert outer.send(None) == 0
    assert inner.send(None) == 1
    got: list[Any] = []
    assert raw_isolation.count_steps(lambda: got.extend(outer.send(None) for _ in range(3))) == 0
    assert got == [2, 3, 4]
    driven = raw_protocol.yields([1, 2, 3])
    driven.send(None)
    outer = raw_isolation.pass_through(awaitable(driven.__await__))  # goes on through a wrapper: steps of its own
    assert raw_isolation.count_steps(lambda: got.append(outer.send(None))) == 0
    assert got.pop() == 2
    outer.close()


@deep_chains
def test_13_3_objects_await_each_other_at_any_depth() -> None:
    """Deeper than any recursion: started, resumed, collected around, and ended in each way."""
    levels = 100_000
    ends: list[tuple[Callable[[Any], Any], tuple[str, Any], list[Any]]] = [
        (lambda c: c.send("value"), ("returned", "end"), [("send", "value")]),
        (lambda c: c.close(), ("yielded", None), [("close",)]),
        (lambda c: c.throw(KeyboardInterrupt("k")), ("raised", (KeyboardInterrupt, "k")), [("throw",)]),
    ]
    for end, result, calls in ends:
        coroutine = objects(levels, awaited := Recorder(1, result="end"))
        assert coroutine.send(None) == 1
        gc.collect()
        assert comparable(outcome(end, coroutine)) == result
        assert [call[: len(expected)] for call, expected in zip(awaited.calls[1:], calls, strict=True)] == calls
    coroutine = objects(levels, awaited := Recorder(1))
    coroutine.send(None)
    del coroutine
    assert awaited.calls == [("next",), ("close",)]


# ---- what can be seen ----------------------------------------------------------------------------


def test_8_3_8_8_each_object_shows_its_own_level(language: Any) -> None:
    seen: list[Any] = []
    bottom = Recorder(1, result="end")
    last = language.script([do_call(lambda _: seen.extend(map(inspect.getcoroutinestate, chain))), do_await(bottom)])
    middle = language.pass_through(last)
    chain = [language.pass_through(middle), middle, last]
    assert chain[0].send(None) == 1
    assert seen == [inspect.CORO_RUNNING] * 3
    assert [inspect.getcoroutinestate(each) for each in chain] == [inspect.CORO_SUSPENDED] * 3
    assert [each.cr_running for each in chain] == [False] * 3
    assert [each.cr_await for each in chain] == [middle, last, bottom]
    assert [each.cr_frame.f_code.co_name for each in chain] == ["pass_through", "pass_through", "script"]
    assert outcome(chain[0].send, None) == ("returned", None)
    assert [inspect.getcoroutinestate(each) for each in chain] == [inspect.CORO_CLOSED] * 3
    assert [each.cr_await for each in chain] == [None] * 3


def test_12_5_each_object_shows_the_collector_what_it_holds_itself() -> None:
    things = [Thing() for _ in range(4)]
    bottom = Iterator(1)
    last = raw_lifetime.show(things[2:], bottom, [])
    first = raw_lifetime.show(things[:2], last, [])
    first.send(None)
    assert gc.get_referents(first) == [type(first), things[0], things[1], last]
    assert gc.get_referents(last) == [type(last), things[2], things[3], bottom]
    assert outcome(first.send, None) == ("returned", things[0])


class Thing:
    """What can refer to anything."""


def test_12_5_a_cycle_through_objects_is_collected(language: Any, unraisable: list[Any]) -> None:
    for root_lives in (False, True):
        log: list[str] = []
        awaited = Recorder(1, result="end")
        inner = language.guarded(awaited, log)
        outer = language.guarded(language.guarded(inner, log), log)
        outer.send(None)
        awaited.cycle = (outer, inner)  # type: ignore[attr-defined]
        references = [weakref.ref(each) for each in (awaited, inner, outer)]
        if not root_lives:
            outer = None
        del awaited, inner
        collect()
        assert [reference() is None for reference in references] == [not root_lives] * 3
        if root_lives:
            assert outcome(outer.send, None) == ("returned", "end")
        assert log == GUARDS * 3
    # C++ drops what it awaited while it still runs, and with that here the last reference to the outer one.
    assert {str(error) for error, _ in unraisable} <= {EXECUTING}


def test_12_1_the_end_of_the_outer_one_closes_the_inner_one(language: Any, unraisable: list[Any]) -> None:
    """Which may live on, if somebody has it."""
    log: list[str] = []
    inner = language.script([do_yield(1, GeneratorExit, [do_log(log, "exit"), do_yield(2), do_return("end")])])
    outer = language.pass_through(inner)
    outer.send(None)
    del outer
    collect()
    assert log == ["exit"]
    assert [str(error) for error, _ in unraisable] == ["coroutine ignored GeneratorExit"]
    assert inner.cr_suspended
    assert outcome(inner.send, None) == ("returned", "end")


def test_collecting_at_any_moment(language: Any) -> None:
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        look = do_call(lambda _: gc.collect(0))
        for _ in range(20):
            log: list[str] = []
            last = language.script([look, do_yield([1]), look, do_yield([2], BaseException, [RERAISE])])
            outer = language.guarded(language.script([look, do_await(last, Boom, [RERAISE]), GIVE]), log)
            outer.send(None)
            gc.collect(0)
            outer.send(None)
            assert isinstance(outcome(outer.throw, Boom())[1], Boom)
            assert log == GUARDS
    finally:
        gc.set_threshold(*threshold)


# ---- steps from outside --------------------------------------------------------------------------


def test_7_9_steps_are_taken_from_the_middle(language: Any) -> None:
    last = language.yields([1, 2, 3, 4, 5, 6])
    middle = language.pass_through(last)
    outer = language.pass_through(middle)
    assert outer.send(None) == 1
    assert middle.send("a") == 2
    assert last.send("b") == 3
    assert outer.send("c") == 4
    assert last.send("d") == 5
    assert middle.send("e") == 6
    assert outcome(outer.send, "f") == ("returned", ["a", "b", "c", "d", "e", "f"])
    assert [inspect.getcoroutinestate(each) for each in (outer, middle, last)] == [inspect.CORO_CLOSED] * 3


@pytest.mark.parametrize("way", ["close", "throw", "finish"])
def test_7_6_7_9_ended_behind_its_awaiters_back(language: Any, way: str) -> None:
    last = language.yields([1])
    outer = language.script([do_await(language.pass_through(last), RuntimeError, [GIVE])])
    outer.send(None)
    if way == "close":
        last.close()
    elif way == "throw":
        assert outcome(last.throw, Boom())[0] == "raised"
    else:
        assert outcome(last.send, "sent") == ("returned", ["sent"])
    result = outcome(outer.send, None)
    assert (result[0], str(result[1])) == ("returned", REUSE)


def test_2_8_5_11_6_7_a_part_of_a_running_chain_is_left_alone(language: Any) -> None:
    seen: list[Any] = []

    def meddle(_: object) -> None:
        for each in chain:
            for step in (lambda c: c.send(None), lambda c: c.throw(Boom()), lambda c: c.close()):
                seen.append(comparable(outcome(step, each)))

    last = language.script([do_call(meddle), do_return("end")])
    middle = language.pass_through(last)
    chain = [language.pass_through(middle), middle, last]
    assert outcome(chain[0].send, None) == ("returned", "end")
    assert seen == [("raised", (ValueError, EXECUTING))] * 9


def test_7_8_a_chain_that_awaits_itself(language: Any) -> None:
    chain: list[Any] = []
    last = language.script([do_await(awaitable(lambda: chain[0].__await__()), ValueError, [GIVE])])
    chain.append(language.pass_through(last))
    result = outcome(chain[0].send, None)
    assert (result[0], str(result[1])) == ("returned", EXECUTING)


def test_7_7_a_part_of_a_chain_cannot_be_awaited(language: Any) -> None:
    last = language.yields([1, 2])
    outer = language.pass_through(language.pass_through(last))
    assert outer.send(None) == 1
    thief = language.pass_through(last)
    with pytest.raises(RuntimeError, match=AWAITED):
        thief.send(None)
    assert outer.send("a") == 2
    assert outcome(outer.send, "b") == ("returned", ["a", "b"])


def test_7_9_the_awaiter_dies_and_the_awaited_goes_on(language: Any) -> None:
    log: list[Any] = []
    last = language.script([do_yield(1, GeneratorExit, [do_yield(2), do_return("end")])])
    outer = language.script([do_await(last, RuntimeError, [do_note(log), do_return("closed")])])
    outer.send(None)
    assert outcome(outer.close)[0] == "yielded"
    assert [str(each) for each in log] == ["coroutine ignored GeneratorExit"]
    assert outcome(last.send, None) == ("returned", "end")


# ---- steps of C++ ---------------------------------------------------------------------------------


def test_cpp_takes_steps_of_the_middle_of_a_chain() -> None:
    last = raw_isolation_twin.pass_through(raw_protocol.yields([1, 2, 3, 4]))
    outer = raw_isolation.pass_through(raw_isolation.await_middle(last))
    assert outer.send(None) == 1
    assert raw_isolation.send_to_middle("a") == 2
    assert outer.send("b") == 3
    assert last.send("c") == 4
    assert raw_isolation.send_to_middle("d") == ["a", "b", "c", "d"]
    assert not last.cr_suspended
    assert comparable(outcome(outer.send, None)) == ("raised", (RuntimeError, REUSE))


def entries(error: BaseException) -> list[str]:
    return [entry.name for entry in traceback.extract_tb(error.__traceback__)]


def test_5_14_the_entries_are_the_same_whoever_drives() -> None:
    def fail(_: object) -> None:
        raise Boom("b")

    for drives in ("outermost", "middle"):
        last = raw_protocol.script([do_yield(1), do_call(fail)])
        outer = raw_isolation.await_middle(raw_isolation_twin.pass_through(last))
        outer.send(None)
        kind, error = outcome(outer.send if drives == "outermost" else raw_isolation.send_to_middle, None)
        assert kind == "raised"
        below = ["pass_through", "script", "fail"]
        assert entries(error)[-3:] == below
        assert entries(error)[1:-3] == (["await_middle", "pass_through"] if drives == "outermost" else [])
        raw_isolation.destroy_middle()


def test_6_9_cpp_closes_and_destroys_the_middle_of_a_chain() -> None:
    for end in (raw_isolation.close_middle, raw_isolation.destroy_middle):
        log: list[str] = []
        last = raw_protocol.guarded(awaited := Recorder(1), log)
        outer = raw_isolation.await_middle(last)
        outer.send(None)
        del last
        end()
        assert awaited.calls == [("next",), ("close",)]
        assert log == GUARDS
        assert comparable(outcome(outer.send, None)) == ("raised", (RuntimeError, REUSE))
        raw_isolation.destroy_middle()


def test_12_1_a_destroyed_awaiter_leaves_a_referenced_object_alone() -> None:
    last = raw_protocol.yields([1, 2])
    outer = raw_isolation.await_middle(last)
    outer.send(None)
    raw_isolation.destroy_middle()
    assert inspect.getcoroutinestate(last) == inspect.CORO_SUSPENDED
    assert last.send("a") == 2
    last.close()
    outer.close()


# ---- ends -----------------------------------------------------------------------------------------


def test_4_1_4_3_a_stop_iteration_of_an_inner_one(language: Any) -> None:
    stop = StopIteration("s")
    outer = language.script(
        [do_await(language.pass_through(language.script([do_raise(stop)])), RuntimeError, [GIVE])],
    )
    kind, error = outcome(outer.send, None)
    assert (kind, str(error)) == ("returned", "coroutine raised StopIteration")
    assert error.__cause__ is stop
    assert error.__context__ is stop


def test_5_22_an_error_of_the_lookup_below_is_raised_in_the_awaiter(language: Any) -> None:
    class Odd(Iterator):
        def __getattr__(self, name: str) -> Any:
            if name == "throw":
                raise OSError(name)
            raise AttributeError(name)

    inner = language.pass_through(Odd(1, 2))
    outer = language.script([do_await(inner, BaseException, [do_yield("caught"), GIVE])])
    assert outer.send(None) == 1
    assert outer.throw(Boom()) == "caught"
    assert inner.cr_suspended
    assert inner.send(None) == 2
    inner.close()
    outer.close()


@pytest.mark.parametrize("make", [lambda m: m.yields([1, 2]), lambda m: m.pass_through(Iterator(1, 2))])
def test_5_6_wrong_arguments_are_an_error_of_the_awaiter(language: Any, make: Any) -> None:
    inner = make(language)
    outer = language.script([do_await(language.pass_through(inner), TypeError, [do_yield("caught"), GIVE])])
    assert outer.send(None) == 1
    kind, error = outcome(outer.throw, 1)
    assert kind == "raised" or error == "caught"
    assert inner.cr_suspended
    assert inner.send(None) == 2
    inner.close()
    outer.close()


@pytest.mark.parametrize("arguments", [(1,), (Boom, "v", None), (Boom,)], ids=repr)
def test_5_20_a_foreign_throw_below_gets_the_arguments_as_they_are(language: Any, arguments: Any) -> None:
    for driven in (0, 1):
        awaited = Recorder(1, 2)
        awaited.on_throw = lambda *_: "thrown"
        inner = language.pass_through(awaited)
        chain = [language.pass_through(inner), inner]
        chain[0].send(None)
        with pytest.warns(DeprecationWarning) if VERSION >= (3, 12) and len(arguments) > 1 else nullcontext():
            assert chain[driven].throw(*arguments) == "thrown"
        assert awaited.calls == [("next",), ("throw", *arguments)]
        chain[0].close()


def test_5_23_6_13_every_level_is_closed_innermost_first(language: Any) -> None:
    for end in (lambda c: c.close(), lambda c: c.throw(GeneratorExit("g")), lambda c: c.throw(GeneratorExit)):
        log: list[Any] = []
        coroutine = language.script([do_yield(1)])
        for level in range(5):
            coroutine = language.script(
                [do_await(coroutine, BaseException, [do_log(log, level), do_note(log), RERAISE])]
            )
        coroutine.send(None)
        outcome(end, coroutine)
        assert log[::2] == [0, 1, 2, 3, 4]
        assert {type(error) for error in log[1::2]} <= {GeneratorExit, type(None)}


def test_6_9_what_an_inner_one_makes_of_its_closing(language: Any) -> None:
    error = Boom("b")
    reactions: list[tuple[list[Any], str]] = [
        ([do_return("value")], "GeneratorExit"),
        ([do_raise(error)], "Boom"),
        ([do_raise(StopIteration(1))], "RuntimeError"),
        ([do_raise(GeneratorExit("mine"))], "GeneratorExit"),
        ([do_yield(2)], "RuntimeError"),
    ]
    for steps, expected in reactions:
        log: list[Any] = []
        last = language.script([do_yield(1, GeneratorExit, steps)])
        middle = language.script([do_await(last, BaseException, [do_note(log), RERAISE])])
        outer = language.script([do_await(middle, BaseException, [do_note(log), RERAISE])])
        outer.send(None)
        outcome(outer.close)
        assert [type(each).__name__ for each in log] == [expected] * 2
        last.close()


@pytest.mark.parametrize("function", ["await_int", "await_string", "await_double", "await_bool"])
def test_the_result_is_converted_as_that_of_any_awaitable(function: str) -> None:
    await_it = getattr(raw_exceptions, function)
    for result in (1, "text", 1.5, True, None, [1]):
        by_step = outcome(finish, await_it(native.value(result)))
        joined = outcome(finish, await_it(raw_protocol.value(result)))
        assert comparable(joined) == comparable(by_step)


@pytest.mark.parametrize("kind", ["runtime_error", "out_of_range", "bad_alloc", "int", "system_error"])
def test_5_14_a_cpp_error_of_an_inner_one_is_pythons_from_there_on(kind: str) -> None:
    caught: list[Any] = []
    inner = [raw_exceptions.fail(kind) for _ in range(2)]
    for awaited in (native.pass_through(inner[0]), inner[1]):
        outer = raw_protocol.script([do_await(awaited, BaseException, [do_note(caught), GIVE])])
        assert outcome(outer.send, None) == ("returned", caught[-1])
    by_step, joined = caught
    assert (type(joined), str(joined)) == (type(by_step), str(by_step))
    assert entries(joined) == [name for name in entries(by_step) if name != "pass_through"]


def test_a_result_that_cannot_be_converted_is_the_error_of_the_await() -> None:
    for kind in ("runtime_error", "int"):
        caught: list[Any] = []
        for awaited in (
            native.pass_through(raw_exceptions.fail_to_convert(kind)),
            raw_exceptions.fail_to_convert(kind),
        ):
            outer = raw_protocol.script([do_await(awaited, BaseException, [do_note(caught), GIVE])])
            outcome(outer.send, None)
        assert comparable(("raised", caught[0])) == comparable(("raised", caught[1]))


def test_what_the_inner_one_returned_dies_with_the_outer_one(language: Any) -> None:
    thing = Thing()
    reference = weakref.ref(thing)
    inner = language.script([do_return(thing)])
    del thing
    outer = language.script([do_await(inner), do_yield(1)])
    assert outer.send(None) == 1
    assert reference() is not None  # the result of the step
    outer.close()
    del outer, inner
    assert reference() is None
