"""What dies when: the garbage collector, weak references, other threads, the end of the interpreter, and leaks."""

import asyncio
import gc
import inspect
import os
import re
import sys
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import native
import pytest
import raw_lifetime
import raw_protocol
from support import (
    FREE_THREADED,
    GUARDS,
    LOOPS,
    RERAISE,
    SANITIZED,
    VERSION,
    Boom,
    Iterator,
    Recorder,
    collect,
    do_await,
    do_call,
    do_log,
    do_raise,
    do_return,
    do_yield,
    finish,
    outcome,
    resident_bytes,
    run,
    run_python,
)


class Thing:
    """Can be weakly referenced, and refers to this and that."""

    def __init__(self, *held: Any) -> None:
        self.held = held
        self.me: Thing | None = None
        self.coroutine: Any = None


class Once:
    """Awaiting it takes one item of an iterator."""

    def __init__(self, iterator: Iterator) -> None:
        self.iterator = iterator

    def __await__(self) -> Any:
        yield next(self.iterator)


def reenter() -> None:
    """Enters Isthmus, which drops what was queued by other threads."""
    raw_lifetime.hold(1, 2).close()


# ---- reference cycles ----------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
def test_an_abandoned_task_is_collected(language: Any, loop: str) -> None:
    log: list[str] = []
    references: list[weakref.ref[Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        future = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(language.guarded(future, log))
        references.extend([weakref.ref(task), weakref.ref(task.get_coro()), weakref.ref(future)])
        await asyncio.sleep(0)
        del task, future
        assert log == []
        collect()
        assert log == GUARDS

    run(main(), loop)
    assert [reference() for reference in references] == [None] * 3


def test_a_cycle_of_several_coroutines(language: Any) -> None:
    log: list[str] = []
    bottom = Recorder(1)
    inner = language.guarded(bottom, log)
    middle = native.pass_through(inner)
    outer = language.guarded(middle, log)
    outer.send(None)
    # Not by `bottom` alone: it would die while what awaits it is being closed, and close that again (in CPython, too).
    cycle = Thing(bottom)
    cycle.me = cycle
    bottom.owner = outer  # type: ignore[attr-defined]
    reference = weakref.ref(outer)
    del bottom, inner, middle, outer, cycle
    assert log == []
    collect()
    assert log == GUARDS * 2
    assert reference() is None


def test_12_5_a_cycle_through_an_any_coroutine() -> None:
    log: list[str] = []
    bottom: Any = Recorder(1)
    awaited = native.guarded(bottom, log)
    coroutine = raw_lifetime.await_erased(awaited)
    coroutine.send(None)
    cycle = Thing(awaited)
    bottom.owner = coroutine
    cycle.me = cycle
    reference = weakref.ref(coroutine)
    del bottom, awaited, coroutine, cycle
    assert log == []
    collect()
    assert log == GUARDS
    assert reference() is None


def test_what_lives_elsewhere_is_not_cleared_with_its_awaiter() -> None:
    awaited = Recorder(1, 2)
    coroutine = raw_lifetime.await_kept_erased(awaited)
    coroutine.send(None)
    awaited.owner = coroutine  # type: ignore[attr-defined]
    reference = weakref.ref(awaited)
    del awaited, coroutine
    collect()
    assert reference() is not None
    raw_lifetime.release_kept()
    collect()
    assert reference() is None


def test_a_cycle_through_the_wrapper(language: Any) -> None:
    awaited = Recorder(1)
    coroutine = language.pass_through(awaited)
    coroutine.send(None)
    awaited.wrapper = coroutine.__await__()  # type: ignore[attr-defined]
    reference = weakref.ref(coroutine)
    del awaited, coroutine
    collect()
    assert reference() is None


def test_a_cycle_through_the_name(language: Any) -> None:
    class Name(str):
        owner: Any = None

    name = Name("name")
    name.owner = language.value(1)
    name.owner.__name__ = name
    name.owner.__qualname__ = name
    reference = weakref.ref(name.owner)
    name.owner.close()
    del name
    collect()
    assert reference() is None


def test_a_live_object_is_never_cleared(language: Any) -> None:
    """What is awaited is also referred to from elsewhere, while the coroutine is garbage."""
    awaited = Recorder(1, 2)
    awaited.on_close = lambda: None
    cycle = Thing()
    cycle.me = cycle
    cycle.coroutine = language.pass_through(awaited)
    cycle.coroutine.send(None)
    before = dict(awaited.__dict__)
    del cycle
    collect()
    assert awaited.__dict__ == before
    assert awaited.calls == [("next",), ("close",)]


def test_12_5_ten_thousand_abandoned_tasks_are_collected(language: Any) -> None:
    """Each is in a cycle with the Future that it waits for."""
    number = 10_000 if not SANITIZED else 1000
    log: list[str] = []
    alive: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)

        class Future(asyncio.Future[None]):
            def __del__(self) -> None:
                alive.pop()

        for _ in range(number):
            asyncio.create_task(language.guarded(Future(loop=loop), log))  # noqa: RUF006
            alive.append(1)
        await asyncio.sleep(0)
        collect()
        await asyncio.sleep(0)

    threshold = gc.get_threshold()
    gc.set_threshold(1000, 5, 5)
    try:
        run(main())
    finally:
        gc.set_threshold(*threshold)
    assert log == GUARDS * number
    assert alive == []


@pytest.mark.skipif(FREE_THREADED, reason="conftest.py says why nothing must be frozen there")
def test_12_5_frozen_garbage_is_left_alone(language: Any) -> None:
    log: list[str] = []
    coroutine = language.guarded(awaited := Recorder(1), log)
    coroutine.send(None)
    awaited.coroutine = coroutine  # type: ignore[attr-defined]
    gc.freeze()
    del awaited, coroutine
    collect()
    assert log == []
    gc.unfreeze()
    collect()
    assert log == GUARDS
    gc.freeze()  # as conftest.py has left it


def test_collecting_at_any_moment(language: Any) -> None:
    """The collector runs while a chain runs, while it is suspended, while it is closed and while it is destroyed."""
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(20):
            log: list[str] = []
            awaited = Thing()
            look = do_call(lambda _: gc.collect(0))
            steps = [look, do_yield([1]), look, do_await(native.yields([[2]]), BaseException, [look, RERAISE])]
            coroutine = language.guarded(language.script(steps), log)
            awaited.coroutine = coroutine
            coroutine.send(None)
            gc.collect(0)
            coroutine.send(None)
            gc.collect(0)
            outcome(coroutine.throw, Boom())
            del coroutine, awaited
            assert log == GUARDS
    finally:
        gc.set_threshold(*threshold)


def test_a_parameter_is_not_seen_by_the_collector_but_released() -> None:
    """The limit: references in C++ variables are invisible. Such a cycle lives until the coroutine ends."""
    held = Thing()
    coroutine = raw_lifetime.hold(held, Iterator(1))
    coroutine.send(None)
    held.coroutine = coroutine
    reference = weakref.ref(held)
    del held
    collect()
    assert reference() is not None
    coroutine.close()
    del coroutine
    collect()
    assert reference() is None


def test_nor_are_the_arguments_of_one_that_never_started() -> None:
    """As before the start there is no variable that could be visible."""
    held = Thing()
    held.coroutine = raw_lifetime.show([held], Iterator(1), [])
    reference = weakref.ref(held)
    del held
    collect()
    assert reference() is not None
    reference().coroutine.close()  # type: ignore[union-attr]
    collect()
    assert reference() is None


# ---- variables that the collector sees -----------------------------------------------------------


def seen(coroutine: Any) -> list[Any]:
    """What the collector sees that a coroutine holds."""
    return [held for held in gc.get_referents(coroutine) if held is not type(coroutine)]


@pytest.mark.parametrize("levels", [1, 3])
def test_12_5_a_cycle_through_visible_variables(levels: int) -> None:
    log: list[str] = []
    for _ in range(3):
        things = [Thing() for _ in range(levels)]
        for thing in things:
            thing.coroutine = raw_lifetime.show([Thing(), thing], Iterator(1), log)
            thing.coroutine.send(None)
        coroutine = raw_lifetime.show(list(things), Iterator(1), log)
        coroutine.send(None)
        things[-1].me = coroutine
        references = [weakref.ref(thing) for thing in (*things, coroutine)]
        del thing, things, coroutine
        assert log == []
        collect()
        assert [reference() for reference in references] == [None] * (levels + 1)
        assert log == ["ended"] * (3 * levels)
        log.clear()


def test_12_5_what_is_visible_is_seen_once_for_each_reference() -> None:
    things = [Thing(), Thing(), Thing()]
    awaited = Iterator(1)
    coroutine = raw_lifetime.show(things, awaited, [])
    assert seen(coroutine) == []
    coroutine.send(None)
    assert sorted(map(id, seen(coroutine))) == sorted(map(id, [*things, awaited]))
    assert outcome(coroutine.send, None) == ("returned", things[0])
    assert seen(coroutine) == []


def test_12_5_nothing_is_seen_of_a_running_chain() -> None:
    sights: list[Any] = []
    thing = Thing()
    look = native.script([do_call(lambda _: sights.append(seen(coroutine))), do_yield(1)])
    coroutine = raw_lifetime.show([thing, thing], look, [])
    coroutine.send(None)
    assert sights == [[]]
    assert seen(coroutine) == [thing, thing, look]
    coroutine.close()


def test_12_5_containers_change_what_is_seen() -> None:
    things = [Thing() for _ in range(5)]

    class Source:
        def __await__(self) -> Any:
            return (yield)

    coroutine = raw_lifetime.collect(Source())
    coroutine.send(None)
    for i, thing in enumerate(things):
        coroutine.send(thing)
        held = [other for other in seen(coroutine) if type(other) is Thing]
        assert sorted(map(id, held)) == sorted(map(id, things[: i + 1] * 2))
    things[0].coroutine = coroutine
    references = [weakref.ref(thing) for thing in things]
    del coroutine, thing, held, things
    collect()
    assert [reference() for reference in references] == [None] * 5


def test_12_5_visible_variables_end_in_any_order() -> None:
    first, second, awaited = Thing(), Thing(), Iterator(1, 2, 3)
    expected = [[first], [first], [second]]
    coroutine = raw_lifetime.outlive(first, second, Once(awaited))
    for things in expected:
        coroutine.send(None)
        assert [held for held in seen(coroutine) if type(held) is Thing] == things
    assert outcome(coroutine.send, None) == ("returned", second)


def test_12_5_what_is_visible_and_alive_is_never_cleared() -> None:
    log: list[str] = []
    thing = Thing(1, 2, 3)
    before, references = dict(thing.__dict__), sys.getrefcount(thing)
    cycle = Thing()
    cycle.coroutine = raw_lifetime.show([thing, cycle], Iterator(1), log)
    cycle.coroutine.send(None)
    del cycle
    collect()
    assert log == ["ended"] * 2
    assert thing.__dict__ == before
    assert sys.getrefcount(thing) == references


# ---- dying ---------------------------------------------------------------------------------------


def test_order_when_a_chain_dies(language: Any) -> None:
    log: list[Any] = []
    inner = language.deep_guarded(3, native.script([do_yield(1, GeneratorExit, [do_log(log, "body"), RERAISE])]), log)
    outer = language.guarded(inner, log)
    outer.send(None)
    weakref.finalize(outer, log.append, "outer's weak reference")
    weakref.finalize(inner, log.append, "inner's weak reference")
    del inner, outer
    assert log[0] == "outer's weak reference"
    without = [entry for entry in log if entry != "inner's weak reference"]
    assert without == ["outer's weak reference", "body", "1", "2", "3", *GUARDS]


def test_an_error_in_the_cleanup_is_unraisable_and_the_rest_goes_on(language: Any, unraisable: list[Any]) -> None:
    def fail() -> object:
        raise Boom("in close")

    log: list[str] = []
    awaited = Recorder(1)
    awaited.on_close = fail
    coroutine = language.guarded(awaited, log)
    coroutine.send(None)
    del coroutine
    assert log == GUARDS
    assert [str(error) for error, _ in unraisable] == ["in close"]
    unraisable.clear()


def test_a_coroutine_that_ignores_its_death_is_destroyed_anyway(language: Any, unraisable: list[Any]) -> None:
    held = Thing()
    reference = weakref.ref(held)
    steps = [do_yield(1, GeneratorExit, [do_yield(2, BaseException, [do_yield(held)])])]
    coroutine = language.script(steps)
    coroutine.send(None)
    del coroutine
    assert [str(error) for error, _ in unraisable] == ["coroutine ignored GeneratorExit"]
    unraisable.clear()
    del held, steps
    collect()
    assert reference() is None


class Reports:
    """What sys.unraisablehook is told, as (exception, text, object) with the object's name in the place of its repr."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.all: list[tuple[Any, str | None, Any]] = []
        monkeypatch.setattr(sys, "unraisablehook", self.add)

    def add(self, report: Any) -> None:
        text = report.err_msg and re.sub(r"<coroutine object (\w+) at 0x\w+>", r"\1", report.err_msg)
        self.all.append((report.exc_value, text, report.object))

    def take(self) -> list[tuple[Any, str | None, str | None]]:
        """The type of each exception, the text, and the name of the object."""
        taken = [(type(e), text, about and about.__name__) for e, text, about in self.all]
        self.all.clear()
        return taken


@pytest.mark.parametrize("steps", [[do_raise(Boom())], [do_raise(KeyboardInterrupt())], [do_yield(2)]])
def test_12_3_how_errors_are_reported(language: Any, monkeypatch: pytest.MonkeyPatch, steps: list[Any]) -> None:
    reports = Reports(monkeypatch)
    coroutine = language.script([do_yield(1, GeneratorExit, steps)])
    coroutine.send(None)
    del coroutine
    ((error, text, about),) = reports.take()
    assert error in (Boom, KeyboardInterrupt, RuntimeError)
    if VERSION >= (3, 14):
        assert (text, about) == ("Exception ignored while closing generator script", None)
    else:
        assert (text, about) == (None, "script")


def test_11_6_11_7_how_warnings_are_reported(language: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing(Exception):
        pass

    def fail(_: object) -> None:
        raise Missing

    def dies(action: str, hook: Any) -> list[Any]:
        with monkeypatch.context() as changed, warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter(action)  # type: ignore[arg-type]
            changed.setattr(warnings, "_warn_unawaited_coroutine", hook)
            if hook is None:
                changed.delattr(warnings, "_warn_unawaited_coroutine")
            language.value(1)
        assert [str(w.message) for w in shown] in ([], ["coroutine 'value' was never awaited"])
        assert (shown == []) == (action == "error")
        return reports.take()

    reports = Reports(monkeypatch)
    new = VERSION >= (3, 14)
    rest = ("Exception ignored while finalizing coroutine value", None) if new else (None, "value")
    own = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
    assert dies("error", own) == [(RuntimeWarning, *rest)]
    assert dies("error", None) == [(RuntimeWarning, *rest)]
    assert dies("always", None) == []
    assert dies("always", fail) == [(Missing, *rest)]
    assert dies("error", fail) == [(Missing, *rest), (RuntimeWarning, *rest)]


def test_11_3_11_5_the_warning_of_one_that_dies_through_others(language: Any) -> None:
    """Through its wrapper, and in a cycle: it comes with its origin."""
    before = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(1)
    try:
        cycle = Thing(language.value(2))
        cycle.me = cycle
        holders: list[Any] = [language.value(1).__await__(), cycle]
        del cycle
    finally:
        sys.set_coroutine_origin_tracking_depth(before)
    while holders:
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("always")
            holders.pop()
            collect()
        (warning,) = shown
        head, _, origin = str(warning.message).partition("\n")
        assert head == "coroutine 'value' was never awaited"
        assert origin.startswith("Coroutine created at (most recent call last)\n  File ")
        assert warning.source.cr_origin[0][0] == __file__  # type: ignore[union-attr]


def test_12_1_12_3_memory_that_is_used_again_has_no_past() -> None:
    """The memory of a coroutine object is kept for the next one: its finalizer must run too."""
    for i in range(200):
        log: list[str] = []
        coroutine = raw_protocol.guarded(Iterator(1), log)
        assert (coroutine.__name__, coroutine.__qualname__, coroutine.cr_origin) == ("guarded", "guarded", None)
        assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
        assert weakref.getweakrefcount(coroutine) == 0
        assert gc.is_tracked(coroutine)
        assert not gc.is_finalized(coroutine)
        died = weakref.ref(coroutine)
        coroutine.__name__ = coroutine.__qualname__ = "changed"
        coroutine.send(None)
        if i % 3 == 0:
            with pytest.raises(StopIteration):
                coroutine.send(None)
        del coroutine  # at times in the middle
        assert died() is None
        assert log == GUARDS


def test_14_5_a_result_dies_with_its_last_reference() -> None:
    """Before 3.15 `await` takes results from a StopIteration, which is kept to be raised again, but not what it had."""

    async def awaits() -> tuple[Any, Any]:
        local = Thing()
        result = await raw_protocol.value(Thing())
        return weakref.ref(result), weakref.ref(local)

    for _ in range(3):
        result, local = finish(awaits())
        assert result() is None
        assert local() is None  # the awaiting frame, through a traceback


@pytest.mark.parametrize("iterate", [lambda c: c, lambda c: c.__await__()])
def test_14_5_no_frame_is_kept_by_a_result_that_was_caught(iterate: Callable[[Any], Any]) -> None:
    def catches() -> Any:
        local = Thing()
        iterator = iterate(raw_protocol.value(Thing()))
        with pytest.raises(StopIteration):
            next(iterator)
        return weakref.ref(local)

    local = catches()
    collect()  # pytest.raises() makes a cycle
    assert local() is None


def test_2_5_14_5_each_result_is_its_own() -> None:
    things = [Thing(), (1, 2), KeyError(3), Thing()]
    kept = []
    for thing in things:
        try:
            raise ZeroDivisionError
        except ZeroDivisionError as context:
            with pytest.raises(StopIteration) as raised:
                next(raw_protocol.value(thing))
            assert raised.value.__context__ is context
        with pytest.raises(StopIteration) as again:
            next(raw_protocol.value(thing))
        assert again.value.__context__ is None
        again.value.add_note("kept")
        kept += [raised.value, again.value]
        finish(raw_protocol.value(Thing()))
    assert [e.value for e in kept] == [thing for thing in things for _ in range(2)]
    assert [e.args for e in kept] == [(thing,) for thing in things for _ in range(2)]
    assert len(set(map(id, kept))) == len(kept)


@pytest.mark.parametrize("leave_alone", [collect, gc.freeze])
def test_14_5_a_cycle_through_a_result_that_was_caught(leave_alone: Callable[[], object]) -> None:
    """Between two awaits a collection finds nothing in the StopIteration that is kept, or gc.freeze() finds it."""

    async def awaits() -> Any:
        return await raw_protocol.value(1)

    for _ in range(3):
        finish(awaits())
        leave_alone()
        thing = Thing()
        try:
            next(raw_protocol.value(thing))
        except StopIteration as stop:
            assert gc.is_tracked(stop.args)
            thing.cycle = stop  # type: ignore[attr-defined]
        died = weakref.ref(thing)
        del thing
        collect()
        assert died() is None


def test_14_5_what_a_tracer_sees_of_each_result() -> None:
    """It looks at the StopIteration, and lets go of it again: the next one has nothing of what it computed."""
    seen = []

    def trace(frame: Any, event: str, argument: Any) -> Any:
        if event == "exception" and argument[0] is StopIteration and frame.f_code.co_name == "awaits":
            stop = argument[1]
            seen.append((hash(stop.args), *stop.args, stop.value, stop.__context__, stop.__cause__))
        return trace

    async def awaits() -> None:
        for i in range(3):
            await raw_protocol.value(i)

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        finish(awaits())
    finally:
        sys.settrace(before)
    from_stop_iteration = VERSION < (3, 15)  # in 3.11 because it is traced (13.4)
    assert seen == [(hash((i,)), i, i, None, None) for i in range(3 if from_stop_iteration else 0)]


def test_14_5_a_result_that_was_caught_dies_before_its_coroutine() -> None:
    """Since 3.14 a caller borrows the coroutine from a variable, whose reference is the only one."""
    coroutine = raw_protocol.value(Thing())
    try:
        next(coroutine)
    except StopIteration as stop:
        died = weakref.ref(stop.value)
    assert died() is None
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def test_14_5_a_result_whose_end_awaits() -> None:
    """While the last result is let go of, the next ones come."""
    results = []

    class Last:
        def __del__(self) -> None:
            results.append(finish(awaits(5)))

    async def awaits(result: object) -> Any:
        return await raw_protocol.value(result)

    finish(awaits(Last()))
    assert results == [5]
    assert finish(awaits(6)) == 6


def test_12_5_resurrection_by_the_report_of_an_error(language: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook keeps what dies (until 3.13): it can be used, and is not finalised again."""
    saved: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: saved.append(report.object))
    endings = ([do_raise(Boom())], [do_yield(2), do_return(3)])
    for handler, expected in zip(endings, ("raised", "returned"), strict=True):
        coroutine = language.script([do_yield(1, GeneratorExit, handler)])
        coroutine.send(None)
        del coroutine
        coroutine = saved.pop()
        if VERSION < (3, 14):
            assert outcome(coroutine.send, None)[0] == expected
        del coroutine
        collect()
    assert saved == []


def test_a_coroutine_that_destroys_its_own_object() -> None:
    for awaited, expected in ((native.value("end"), ("returned", "end")), (native.yields([1]), ("yielded", 1))):
        cell: list[Any] = []
        cell.append(raw_lifetime.drop_oneself(cell, awaited))
        # The bound method is the last one to hold it.
        assert outcome(cell[0].send, None) == expected
        assert cell == ["ended"]


def test_death_in_another_thread(language: Any) -> None:
    log: list[Any] = []
    note = do_call(lambda before: [log.append(threading.get_ident()), before][1])  # type: ignore[func-returns-value]
    steps = [do_yield(1, GeneratorExit, [note, RERAISE])]
    cell = [language.script(steps)]
    cell[0].send(None)
    thread = threading.Thread(target=cell.clear)
    thread.start()
    thread.join()
    # Without a GIL, what dies on another thread than its own is left to that.
    assert log == [threading.get_ident() if FREE_THREADED else thread.ident]


# ---- other threads, without the GIL --------------------------------------------------------------


@pytest.mark.parametrize("drop", [raw_lifetime.drop_elsewhere, raw_lifetime.reset_elsewhere])
def test_an_object_that_dies_elsewhere_is_dropped_later(drop: Callable[[Any], None]) -> None:
    reenter()
    thing = Thing()
    before = sys.getrefcount(thing)
    drop(thing)
    assert sys.getrefcount(thing) == before + 1
    reenter()
    assert sys.getrefcount(thing) == before
    for _ in range(1000):
        drop(thing)
    assert sys.getrefcount(thing) == before + 1000
    # Each step of a coroutine drops them, of whatever module it is.
    coroutine = raw_lifetime.hold(1, Iterator(1))
    drop(thing)
    coroutine.send(None)
    assert sys.getrefcount(thing) == before
    drop(thing)
    coroutine.close()
    assert sys.getrefcount(thing) == before


def test_an_object_that_dies_elsewhere_runs_its_finalizer_here() -> None:
    log: list[int] = []
    thing = Thing()
    weakref.finalize(thing, lambda: log.append(threading.get_ident()))
    cell = [thing]
    del thing
    raw_lifetime.drop_elsewhere(cell)
    del cell
    assert log == []
    reenter()
    assert log == [threading.get_ident()]


def test_what_is_dropped_later_may_enter_again(language: Any) -> None:
    """A queued reference whose finalizer runs coroutines, which drop what is queued."""
    log: list[Any] = []

    def enter(i: int) -> None:
        log.append((i, finish(language.pass_through(native.value(i)))))

    for i in range(10):
        thing = Thing()
        weakref.finalize(thing, enter, i)
        cell = [thing]
        del thing
        raw_lifetime.drop_elsewhere(cell)
        del cell
    reenter()
    assert sorted(log) == [(i, i) for i in range(10)]


@pytest.mark.parametrize("suspended", [True, False])
def test_what_is_dropped_later_may_close_the_coroutine_that_drops_it(suspended: bool) -> None:
    reenter()
    cases: list[tuple[Callable[[Any], Any], Any]] = [
        (lambda c: c.close(), ("yielded", None)),
        (lambda c: c.send(None), ("raised", RuntimeError)),
        (lambda c: c.throw(Boom()), ("raised", RuntimeError)),
    ]
    for call, expected in cases:
        coroutine = raw_protocol.pass_through(Iterator(1, 2))
        if suspended:
            coroutine.send(None)
        thing = Thing()
        weakref.finalize(thing, coroutine.close)
        cell = [thing]
        del thing
        raw_lifetime.drop_elsewhere(cell)
        del cell
        kind, result = outcome(call, coroutine)
        assert (kind, type(result) if kind == "raised" else result) == expected
        assert coroutine.close() is None


def test_an_exception_that_dies_elsewhere() -> None:
    reenter()
    error = Boom()
    before = sys.getrefcount(error)
    raw_lifetime.drop_error_elsewhere(error)
    reenter()
    assert sys.getrefcount(error) == before


def test_the_text_of_an_exception_elsewhere() -> None:
    assert raw_lifetime.message_elsewhere(Boom("text"), True) == "Boom: text"
    assert raw_lifetime.message_elsewhere(Boom("text"), False) == "a Python exception (its text needs the GIL)"


def test_a_cpp_coroutine_that_dies_elsewhere() -> None:
    reenter()
    awaited = Recorder(1)
    before = sys.getrefcount(awaited)
    raw_lifetime.drop_coroutine_elsewhere(awaited)
    assert awaited.calls == [("next",)]
    reenter()
    assert sys.getrefcount(awaited) == before


# ---- threads that share coroutines ---------------------------------------------------------------


def test_many_threads_resume_and_destroy(language: Any) -> None:
    """With a switch of threads wherever one can be."""
    if FREE_THREADED and language is native:
        pytest.skip("CPython 3.13 crashes if threads share a coroutine of its own")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    finished: list[int] = []
    shared = language.yields(list(range(2000)))

    def work() -> None:
        count = 0
        for i in range(300):
            assert finish(language.deep(3, native.yields([i]))) == [None]
            how, _ = outcome(shared.send, None)
            count += how == "yielded"
        finished.append(count)

    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(finished) == 4
    shared.close()


def in_threads(*works: Callable[[], None]) -> None:
    """Runs them at the same time, with a switch of threads wherever one can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    start = threading.Barrier(len(works))
    errors: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        start.wait()
        try:
            work()
        except BaseException as e:
            errors.append(e)

    try:
        threads = [threading.Thread(target=run, args=[work]) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if errors:
        raise errors[0]


BUSY = "coroutine already executing"


def test_2_8_13_2_threads_that_race_to_send() -> None:
    """Each step is made once. The object that is sent may run Python code, but not where the coroutine can be lost."""
    items = list(range(3000))
    shared = raw_protocol.deep(3, raw_protocol.yields(items))
    got: list[list[Any]] = [[] for _ in range(4)]

    def work(mine: list[Any]) -> None:
        while True:
            how, what = outcome(shared.send, None)
            if how == "yielded":
                mine.append(what)
            elif how == "returned" or type(what) is RuntimeError:
                return
            else:
                assert (type(what), str(what)) == (ValueError, BUSY)

    in_threads(*(lambda mine=mine: work(mine) for mine in got))
    assert sorted(item for mine in got for item in mine) == items
    assert all(mine == sorted(mine) for mine in got)


def test_2_8_13_2_threads_that_race_in_every_way(unraisable: list[Any]) -> None:
    """Without a GIL too: whoever comes at the wrong time gets an error, and nothing else happens."""
    allowed = {BUSY, "cannot reuse already awaited coroutine", "coroutine is being awaited already", "boom"}
    rounds = 50 if not SANITIZED else 10

    def awaits(coroutine: Any) -> Any:
        outer = raw_protocol.pass_through(coroutine)
        try:
            return outer.send(None)
        finally:
            outer.close()

    def names(coroutine: Any) -> Any:
        coroutine.__qualname__ = f"name {coroutine.__name__}"
        return repr(coroutine)

    calls: list[Callable[[Any], Any]] = [
        lambda c: c.send(None),
        lambda c: c.throw(Boom("boom")),
        lambda c: next(c.__await__()),
        lambda c: c.close(),
        lambda c: gc.get_referents(c),
        awaits,
        names,
    ]

    def make(i: int) -> Any:
        awaitables: list[Callable[[], Any]] = [
            lambda: Recorder(1, 2, 3),
            lambda: raw_protocol.yields([1, 2, 3]),
            lambda: raw_protocol.pass_through(Iterator(1, 2)),
        ]
        awaited = awaitables[i % 3]()
        return raw_protocol.guarded(awaited, []) if i % 2 else raw_protocol.deep(3, awaited)

    for i in range(rounds):
        shared = [make(i + k) for k in range(3)]
        for coroutine in shared:
            coroutine.send(None)
        shared.append(raw_protocol.value(1))

        def work(mine: int, shared: list[Any] = shared) -> None:
            for k in range(len(calls)):
                for coroutine in shared:
                    how, what = outcome(calls[(k * mine + mine) % len(calls)], coroutine)
                    assert how != "raised" or str(what) in allowed, repr(what)
            shared.clear()

        in_threads(*(lambda mine=mine: work(mine) for mine in (1, 3, 5, 7)))
        for coroutine in shared:
            coroutine.close()
    collect()
    assert {str(error) for error, _ in unraisable} <= {
        BUSY
    }  # of one that dies while another thread drives what it awaits
    unraisable.clear()


# ---- the end of the interpreter ------------------------------------------------------------------

PRELUDE = """
import asyncio, gc, os, sys, threading, weakref
import native, raw_lifetime, raw_protocol as raw
from support import *
"""


def at_exit(code: str) -> str:
    """Runs a program; what it printed. It must neither crash nor complain."""
    result = run_python(PRELUDE + code)
    assert result.stderr == "", result.stderr
    return result.stdout


def test_exit_with_suspended_coroutines() -> None:
    code = """
class Printer(Recorder):
    def close(self):
        print("closed", flush=True)

kept = [raw.pass_through(Printer(1)), raw.deep(3, Printer(1)), raw.pass_through(native.pass_through(Printer(1)))]
for c in kept:
    c.send(None)
"""
    assert at_exit(code).split() == ["closed"] * 3


def test_exit_with_a_cycle() -> None:
    code = """
awaited = Recorder(1)
awaited.coroutine = raw.pass_through(awaited)
awaited.coroutine.send(None)
del awaited
sys.modules["made_up"] = raw.yields([1])
sys.modules["made_up"].send(None)
"""
    at_exit(code)


def test_exit_runs_the_cleanup() -> None:
    """A body that is closed by the shutdown may still await, and what it holds is dropped."""
    code = """
# In a namespace of their own: the functions of this one would be in a cycle with what C++ holds.
namespace = {"Recorder": Recorder}
exec('''
class Loud(Recorder):
    def __del__(self):
        print("gone", flush=True)

async def cleanup():
    print("cleanup", flush=True)
''', namespace)
held = raw_lifetime.hold(namespace["Loud"](), Iterator(1))
cleaning = raw.script([do_yield(1, GeneratorExit, [do_await(namespace["cleanup"]())])])
for c in (held, cleaning):
    c.send(None)
del c
"""
    printed = at_exit(code).split()
    assert printed == ["gone", "cleanup"] or (
        FREE_THREADED and printed == ["cleanup", "gone"]
    )  # the order is CPython's


def test_exit_with_unstarted_coroutines() -> None:
    result = run_python(PRELUDE + "kept = [raw.value(1)]")
    assert "coroutine 'value' was never awaited" in result.stderr
    assert "Error" not in result.stderr


def test_exit_in_the_middle_of_a_loop() -> None:
    code = """
import warnings
warnings.simplefilter("ignore", ResourceWarning)  # debug builds show it: the loop is never closed

async def main():
    loop = asyncio.get_running_loop()
    global tasks
    tasks = [asyncio.create_task(raw.pass_through(loop.create_future())) for _ in range(10)]
    await asyncio.sleep(0)
    loop.stop()

loop = asyncio.new_event_loop()
task = loop.create_task(main())
loop.run_forever()
loop.set_exception_handler(lambda *_: None)
"""
    at_exit(code)


def test_sys_exit_from_a_coroutine() -> None:
    at_exit("""
def leave(_):
    raise SystemExit(0)

asyncio.run(raw.guarded(raw.script([do_await(asyncio.sleep(0)), do_call(leave)]), log := []))
""")


@pytest.mark.parametrize("where", ["atexit", "thread", "module", "type", "fork handler", "codec", "thread local"])
def test_exit_with_coroutines_in_odd_places(where: str) -> None:
    """They are destroyed at different moments of the shutdown, some when hardly anything is left."""
    code = {
        "atexit": "import atexit\natexit.register(lambda c=c: outcome(c.send, None))",
        "thread": """
stop = threading.Event()
t = threading.Thread(target=lambda c=c: stop.wait(), daemon=True)
t.start()
""",
        "module": "import os\nos.kept = c",
        "type": "class Kept:\n    kept = c\nKept.me = Kept\nimport builtins\nbuiltins.Kept = Kept",
        "fork handler": "os.register_at_fork(before=lambda c=c: None)",
        "codec": "import codecs\ncodecs.register(lambda name, c=c: None)",
        "thread local": "local = threading.local()\nlocal.kept = c",
    }[where]
    for make in (
        "raw.pass_through(Recorder(1))",
        "raw.pass_through(native.yields([1]))",
        "raw.yields([1, 2])",
        "raw.deep(3, raw.pass_through(native.pass_through(Iterator(1, 2))))",
    ):
        at_exit(f"c = {make}\nc.send(None)\n{code}\ndel c\n")


def test_exit_with_statics() -> None:
    """C++ objects with static storage are destroyed when the interpreter is gone."""
    at_exit("""
raw_lifetime.keep_object([1, 2, 3])
raw_lifetime.keep_object(Boom())
c = raw.pass_through(Recorder(1))
c.send(None)
raw_lifetime.keep_object(c)
raw_lifetime.keep_object(raw.value)
del c
raw_lifetime.keep_coroutine(Recorder(1))
raw_lifetime.keep_coroutine(raw.pass_through(native.yields([1])))
""")


def test_what_died_before_a_modules_first_coroutine_is_dropped_later() -> None:
    """Until then the module has a queue of its own."""
    at_exit("""
thing = [1]
before = sys.getrefcount(thing)
raw_lifetime.drop_elsewhere(thing)
assert sys.getrefcount(thing) == before + 1
raw_lifetime.hold(1, 2).close()
assert sys.getrefcount(thing) == before
""")


def test_exit_with_queued_references() -> None:
    at_exit("""
for i in range(100):
    raw_lifetime.drop_elsewhere([i])
raw_lifetime.drop_coroutine_elsewhere(Recorder(1))
""")


@pytest.mark.parametrize("block", ["threading.Event().wait()", "while True: time.sleep(0.0001)"])
def test_exit_while_a_daemon_thread_runs_a_coroutine(block: str) -> None:
    """It is ended where it wants the GIL again, which must not unwind the C++ frames below."""
    at_exit(f"""
import time
entered = threading.Event()

def busy(_):
    entered.set()
    {block}

for coroutine in (raw.pass_through(native.script([do_call(busy)])), raw.guarded(native.script([do_call(busy)]), [])):
    threading.Thread(target=finish, args=[coroutine], daemon=True).start()
    entered.wait()
    entered.clear()
""")


def test_statics_can_be_released_in_time() -> None:
    awaited = Recorder(1)
    before = sys.getrefcount(awaited)
    raw_lifetime.keep_object(awaited)
    raw_lifetime.keep_coroutine(awaited)
    raw_lifetime.release_statics()
    assert sys.getrefcount(awaited) == before
    assert awaited.calls == [("next",)]  # a C++ coroutine is destroyed, not closed (12.1)


# ---- fork ----------------------------------------------------------------------------------------


def test_a_forked_child_goes_on() -> None:
    at_exit("""
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
c = raw.yields([1, 2])
c.send(None)
raw_lifetime.drop_elsewhere([1])
child = os.fork()
if child == 0:
    status = 0 if c.send(None) == 2 and finish(raw.value(3)) == 3 else 1
    c.close()
    os._exit(status)
_, status = os.waitpid(child, 0)
assert status == 0
c.close()
""")


# ---- leaks ---------------------------------------------------------------------------------------


class Forever:
    """Yields for ever."""

    def __await__(self) -> "Forever":
        return self

    def __iter__(self) -> "Forever":
        return self

    def __next__(self) -> object:
        return None


def immediate(language: Any) -> None:
    value = language.value
    for _ in range(1000):
        try:
            value(1).send(None)
        except StopIteration:
            pass


def awaited_by_native(language: Any) -> None:
    async def main() -> None:
        value = language.value
        for _ in range(1000):
            await value(1)

    finish(main())


def awaiting_native(language: Any) -> None:
    value, pass_through = native.value, language.pass_through
    for _ in range(1000):
        try:
            pass_through(value(1)).send(None)
        except StopIteration:
            pass


def abandoned(language: Any) -> None:
    forever, pass_through = Forever(), language.pass_through
    for _ in range(1000):
        pass_through(forever).send(None)


def closed(language: Any) -> None:
    forever, pass_through = Forever(), language.pass_through
    for _ in range(1000):
        coroutine = pass_through(forever)
        coroutine.send(None)
        coroutine.close()


def thrown_into(language: Any) -> None:
    forever, pass_through = Forever(), language.pass_through
    error = Boom()
    for _ in range(100):
        coroutine = pass_through(forever)
        coroutine.send(None)
        try:
            coroutine.throw(error)
        except Boom:
            error.__traceback__ = None


def unstarted(language: Any) -> None:
    value = language.value
    for _ in range(1000):
        value(1).close()


def names_and_wrappers(language: Any) -> None:
    value = language.value
    for _ in range(1000):
        coroutine = value(1)
        coroutine.__name__ = coroutine.__qualname__ + "x"
        iterator = coroutine.__await__()
        try:
            next(iterator)
        except StopIteration:
            pass


def misused(language: Any) -> None:
    for _ in range(100):
        coroutine = language.value(1)
        outcome(coroutine.send, 1)
        outcome(coroutine.throw, 1)
        outcome(coroutine.send, None)
        outcome(coroutine.send, None)
        outcome(coroutine.throw, Boom)


def deep_and_mixed(language: Any) -> None:
    for _ in range(10):
        coroutine: Any = native.yields([1])
        for i in range(20):
            coroutine = (language, native)[i % 2].pass_through(language.deep(3, coroutine))
        finish(coroutine)


def tasks(language: Any) -> None:
    async def main() -> None:
        await asyncio.gather(*(language.pass_through(asyncio.sleep(0)) for _ in range(100)))
        task = asyncio.create_task(language.pass_through(asyncio.sleep(10)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    run(main())


def collected_cycles(language: Any) -> None:
    for _ in range(100):
        awaited = Thing()
        awaited.coroutine = language.pass_through(Forever())
        awaited.coroutine.send(None)
        awaited.me = awaited
        del awaited
    gc.collect()


LEAKS: list[tuple[Callable[[Any], None], int]] = [
    (immediate, 1000),  # 1,000,000 coroutines
    (awaited_by_native, 200),
    (awaiting_native, 200),
    (abandoned, 200),
    (closed, 100),
    (thrown_into, 100),
    (unstarted, 200),
    (names_and_wrappers, 100),
    (misused, 100),
    (deep_and_mixed, 50),
    (tasks, 20),
    (collected_cycles, 20),
]


class Growth(NamedTuple):
    """What there is more of after many rounds, each of which makes at least 100 coroutines."""

    blocks: int
    objects: int
    references: list[int]
    resident: int

    def is_leak(self) -> bool:
        return (
            self.blocks >= 500
            or self.objects >= 10
            or any(abs(count) >= 10 for count in self.references)
            or (self.resident >= 2**20 and not SANITIZED)  # AddressSanitizer keeps what is freed in quarantine
        )


def growth(work: Callable[[Any], None], rounds: int) -> Growth:
    flat = [None, True, 1, raw_protocol, Boom, type(raw_protocol_coroutine())]

    def state() -> tuple[int, int, list[int]]:
        if VERSION >= (3, 13):
            sys._clear_internal_caches()  # type: ignore[attr-defined,unused-ignore]
        collect()
        counts = [sys.getrefcount(thing) for thing in flat]
        if hasattr(sys, "gettotalrefcount"):  # debug builds; there the caches count, which hold names of attributes
            counts.append(sys.gettotalrefcount())
        return sys.getallocatedblocks(), len(gc.get_objects()), counts

    for _ in range(5):
        work(raw_protocol)
    state()
    blocks, objects, counts = state()
    resident = resident_bytes()
    for _ in range(rounds):
        work(raw_protocol)
    resident = resident_bytes() - resident
    after_blocks, after_objects, after_counts = state()
    references = [after - before for after, before in zip(after_counts, counts, strict=True)]
    return Growth(after_blocks - blocks, after_objects - objects, references, resident)


@pytest.mark.parametrize(("work", "rounds"), LEAKS, ids=lambda p: getattr(p, "__name__", ""))
def test_no_leaks(work: Callable[[Any], None], rounds: int) -> None:
    if SANITIZED:
        rounds = max(rounds // 20, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grown = growth(work, rounds)
        if grown.is_leak():  # or a cache of CPython's own, of None say, which grows once; a leak does so again
            grown = growth(work, rounds)
    assert not grown.is_leak(), grown


def raw_protocol_coroutine() -> Any:
    coroutine = raw_protocol.nothing()
    coroutine.close()
    return coroutine


@pytest.mark.soak
@pytest.mark.parametrize(("work", "rounds"), LEAKS, ids=lambda p: getattr(p, "__name__", ""))
def test_no_leaks_for_long(work: Callable[[Any], None], rounds: int) -> None:
    test_no_leaks(work, rounds * 100)


def test_the_descriptors_of_the_process(language: Any) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run(language.pass_through(asyncio.sleep(0)))
    assert len(os.listdir("/proc/self/fd")) == before
    assert VERSION >= (3, 11)
