"""C++ generators in Python, beside CPython's own: what a test expects of `language` must hold for both.

Some are those of CPython's test_generators.py that are about the generator object and not about the compiler.
"""

import collections.abc
import copy
import gc
import importlib.util
import inspect
import json
import os
import pickle
import random
import subprocess
import sys
import threading
import types
import warnings
import weakref
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import native_generators
import pytest
import raw_drive
import raw_generators
from support import GUARDS, SANITIZED, VERSION, Boom, SubExit, collect, comparable, functions_in, outcome
from test_protocol import exactly

EXECUTING = "generator already executing"
IGNORED = "generator ignored GeneratorExit"
UNSTARTED = "can't send non-None value to a just-started generator"
STOPPED = "generator raised StopIteration"


@pytest.fixture(params=["native", "cpp"])
def language(request: pytest.FixtureRequest) -> Any:
    return native_generators if request.param == "native" else raw_generators


def suspended(language: Any) -> Any:
    """A generator that has yielded 1 and would yield 2."""
    generator = language.yields([1, 2])
    assert next(generator) == 1
    return generator


def finished(language: Any) -> Any:
    generator = language.yields([])
    assert outcome(next, generator) == ("returned", [])
    return generator


# ---- what it is ----------------------------------------------------------------------------------


def test_it_is_a_generator(language: Any) -> None:
    generator = language.yields([1])
    assert isinstance(generator, collections.abc.Generator)
    assert isinstance(generator, collections.abc.Iterator)
    assert isinstance(generator, types.GeneratorType)
    assert inspect.isgenerator(generator)
    assert iter(generator) is generator
    assert not isinstance(generator, collections.abc.Awaitable)
    assert not inspect.isawaitable(generator)
    assert not inspect.iscoroutine(generator)
    assert gc.is_tracked(generator)
    assert generator
    assert generator == generator
    assert generator != language.yields([1])
    assert len({generator, generator}) == 1


def test_it_can_be_iterated(language: Any) -> None:
    assert list(language.count(3)) == [0, 1, 2]
    assert [*language.count(2)] == [0, 1]
    assert sum(language.count(5)) == 10
    assert 3 in language.count(5)
    assert dict(zip(language.count(2), language.yields("ab" and ["a", "b"]), strict=True)) == {0: "a", 1: "b"}
    first, second = language.count(2)
    assert (first, second) == (0, 1)
    with pytest.raises(ValueError, match="too many values to unpack"):
        first, second = language.count(3)

    def outer() -> Generator[Any, Any, Any]:
        return (yield from language.yields([1, 2]))

    generator = outer()
    assert [next(generator), generator.send(3)] == [1, 2]
    assert outcome(generator.send, 4) == ("returned", [3, 4])


def test_not_instantiable_not_subclassable_immutable(language: Any) -> None:
    kind = type(language.count(1))
    with pytest.raises(TypeError, match=exactly("cannot create 'generator' instances")):
        kind()
    with pytest.raises(TypeError, match="type '.*generator' is not an acceptable base type"):
        type("Sub", (kind,), {})
    with pytest.raises(TypeError, match=exactly("cannot set 'foo' attribute of immutable type 'generator'")):
        kind.foo = 1
    with pytest.raises(AttributeError, match="'generator' object has no attribute 'foo'"):
        language.count(1).foo = 1


def test_docstrings(language: Any) -> None:
    kind = type(language.count(1))
    assert kind.__doc__ is None
    for method in ("send", "throw", "close"):
        assert getattr(kind, method).__doc__ == getattr(types.GeneratorType, method).__doc__
    for attribute in ("gi_running", "gi_suspended", "gi_yieldfrom", "gi_frame", "gi_code"):
        assert getattr(kind, attribute).__doc__ == getattr(types.GeneratorType, attribute).__doc__


def test_names_and_repr(language: Any) -> None:
    generator = language.yields([1])
    assert (generator.__name__, generator.__qualname__) == ("yields", "yields")
    for attribute in ("__name__", "__qualname__"):
        for wrong in (1, None, b"x"):
            with pytest.raises(TypeError, match=exactly(f"{attribute} must be set to a string object")):
                setattr(generator, attribute, wrong)
        with pytest.raises(TypeError, match=exactly(f"{attribute} must be set to a string object")):
            delattr(generator, attribute)
    generator.__name__, generator.__qualname__ = "other", "some.other"
    assert (generator.__name__, generator.__qualname__) == ("other", "some.other")
    assert repr(generator) == f"<generator object some.other at {id(generator):#x}>"
    list(generator)
    assert generator.__name__ == "other"


def test_neither_copied_nor_pickled(language: Any) -> None:
    generator = language.yields([1])
    text = exactly("cannot pickle 'generator' object")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match=text):
            pickle.dumps(generator, protocol)
    for function in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=text):
            function(generator)


def test_weak_references(language: Any) -> None:
    generator = suspended(language)
    died: list[int] = []
    reference = weakref.ref(generator, lambda _: died.append(1))
    assert reference() is generator
    del generator
    assert died == [1]


# ---- send, throw, close --------------------------------------------------------------------------


def test_15_7_a_value_cannot_start_it(language: Any) -> None:
    generator = language.yields([1])
    with pytest.raises(TypeError, match=exactly(UNSTARTED)):
        generator.send(1)
    assert next(generator) == 1


def test_15_7_a_finished_one_gives_nothing_more(language: Any) -> None:
    generator = finished(language)
    calls: list[Callable[[], Any]] = [
        lambda: next(generator),
        lambda: generator.send(None),
        lambda: generator.send(1),
        lambda: generator.__next__(),
    ]
    for call in calls:
        with pytest.raises(StopIteration) as stop:
            call()
        assert stop.value.args == ()
    assert list(generator) == []
    error = Boom()
    assert outcome(generator.throw, error) == ("raised", error)
    assert outcome(generator.throw, StopIteration)[0] == "returned"
    assert generator.close() is None


def test_15_7_a_running_one_cannot_be_resumed(language: Any) -> None:
    results: list[Any] = []

    def reenter(_: object) -> None:
        for call in (
            lambda: next(generator),
            lambda: generator.send(None),
            lambda: generator.send(1),
            lambda: generator.throw(Boom()),
            generator.close,
        ):
            results.append(comparable(outcome(call)))

    generator = language.script([("call", reenter, None), ("yield", 1, None)])
    assert next(generator) == 1
    assert results == [("raised", (ValueError, EXECUTING))] * 5


def test_15_7_nor_from_another_thread(language: Any) -> None:
    results: list[Any] = []

    def start_another(_: object) -> None:
        thread = threading.Thread(target=lambda: results.append(comparable(outcome(next, generator))))
        thread.start()
        thread.join()

    generator = language.script([("call", start_another, None)])
    list(generator)
    assert results == [("raised", (ValueError, EXECUTING))]


def test_15_7_ignoring_generator_exit(language: Any) -> None:
    generator = language.script([("yield", 1, GeneratorExit), ("yield", 2, None)])
    next(generator)
    with pytest.raises(RuntimeError, match=exactly(IGNORED)):
        generator.close()
    assert generator.close() is None
    assert outcome(next, generator) == ("returned", None)


def test_15_7_stop_iteration_that_leaves_it(language: Any) -> None:
    stop = StopIteration("s")
    for generator in (
        language.script([("raise", stop, None)]),
        language.script([("from", [("raise", stop, None)], None)]),
    ):
        with pytest.raises(RuntimeError, match=exactly(STOPPED)) as caught:
            next(generator)
        assert caught.value.__cause__ is stop or caught.value.__cause__.__cause__ is stop  # type: ignore[union-attr]
        assert caught.value.__suppress_context__
    generator = suspended(language)
    with pytest.raises(RuntimeError, match=exactly(STOPPED)):
        generator.throw(StopIteration(1))


def test_what_is_sent_is_the_value_of_the_yield(language: Any) -> None:
    generator = language.yields([1, 2, 3])
    assert [next(generator), generator.send("a"), generator.send(None)] == [1, 2, 3]
    result = outcome(generator.send, (1, 2))
    assert result == ("returned", ["a", None, (1, 2)])


@pytest.mark.parametrize("result", [None, 1, (1, 2), ValueError("v"), ValueError, StopIteration(5)])
def test_the_returned_value_is_never_unpacked(language: Any, result: Any) -> None:
    with pytest.raises(StopIteration) as stop:
        next(language.script([("return", result, None)]))
    assert stop.value.value is result
    assert stop.value.args == (() if result is None else (result,))


def test_arity(language: Any) -> None:
    generator = language.yields([1])
    for call, text in (
        (generator.send, "generator.send() takes exactly one argument (0 given)"),
        (lambda: generator.send(1, 2), "generator.send() takes exactly one argument (2 given)"),
        (lambda: generator.close(1), "generator.close() takes no arguments (1 given)"),
        (generator.throw, "throw expected at least 1 argument, got 0"),
        (lambda: generator.throw(1, 2, 3, 4), "throw expected at most 3 arguments, got 4"),
        (lambda: generator.throw(value=1), "generator.throw() takes no keyword arguments"),
        (lambda: generator.throw(1), "exceptions must be classes or instances deriving from BaseException, not int"),
        (lambda: generator.throw(), "throw expected at least 1 argument, got 0"),
    ):
        with pytest.raises(TypeError, match=exactly(text)):
            call()
    assert next(generator) == 1


def test_throw_before_the_start(language: Any) -> None:
    error = Boom()
    generator = language.yields([1])
    assert outcome(generator.throw, error) == ("raised", error)
    assert list(generator) == []


def test_throw_is_delivered_at_the_yield(language: Any) -> None:
    error = Boom("b")
    generator = language.script(
        [("yield", 1, Boom), ("call", lambda last: seen.append(last), None), ("yield", 2, None)]
    )
    seen: list[Any] = []
    next(generator)
    assert generator.throw(error) == 2
    assert seen == [error]
    assert outcome(generator.throw, error) == ("raised", error)
    assert list(generator) == []


def test_throw_goes_to_the_innermost(language: Any) -> None:
    error = Boom("b")
    generator = language.script([("from", [("yield", 1, Boom), ("return", "inner", None)], None), ("yield", 2, None)])
    next(generator)
    assert generator.throw(error) == 2
    generator = language.script([("from", [("from", [("yield", 1, None)], None)], Boom), ("yield", 2, None)])
    next(generator)
    assert generator.throw(error) == 2


@pytest.mark.parametrize("thrown", [GeneratorExit, GeneratorExit("g"), SubExit("s")])
def test_generator_exit_closes_what_it_yields_from(language: Any, thrown: Any) -> None:
    log: list[str] = []
    generator = language.guarded([1, 2], log)
    next(generator)
    with pytest.raises(GeneratorExit):
        generator.throw(thrown)
    assert log == GUARDS


def test_several_arguments_of_throw_are_deprecated(language: Any) -> None:
    generator = suspended(language)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(Boom, match="^text$"):
            generator.throw(Boom, "text")
    assert len(caught) == (1 if VERSION >= (3, 12) else 0)


def test_close(language: Any) -> None:
    log: list[str] = []
    assert language.guarded([1], log).close() is None
    assert log == []
    generator = language.guarded([1], log)
    next(generator)
    assert generator.close() is None
    assert log == GUARDS
    assert generator.close() is None
    with pytest.raises(StopIteration):
        next(generator)


@pytest.mark.parametrize("result", [None, 1, (1, 2)])
def test_6_3_the_value_that_close_returns(language: Any, result: object) -> None:
    generator = language.script([("yield", 1, GeneratorExit), ("return", result, None)])
    next(generator)
    assert generator.close() == (result if VERSION >= (3, 13) else None)


def test_close_raises_what_leaves_the_body(language: Any) -> None:
    error = Boom()
    generator = language.script([("yield", 1, GeneratorExit), ("raise", error, None)])
    next(generator)
    assert outcome(generator.close) == ("raised", error)


def test_errors_keep_their_traceback(language: Any) -> None:
    def fail(_: object) -> None:
        raise Boom

    with pytest.raises(Boom) as caught:
        next(language.script([("from", [("call", fail, None)], None)]))
    assert functions_in(caught.value)[-1] == "fail"


# ---- introspection -------------------------------------------------------------------------------


def test_the_attributes_of_its_state(language: Any) -> None:
    states: list[tuple[bool, bool]] = []

    def state(_: object = None) -> None:
        states.append((generator.gi_running, generator.gi_suspended))

    generator = language.script([("call", state, None), ("yield", 1, None)])
    state()
    next(generator)
    state()
    list(generator)
    state()
    assert states == [(False, False), (True, False), (False, True), (False, False)]
    assert generator.gi_yieldfrom is None


def test_inspect_knows_its_state(language: Any) -> None:
    states: list[str] = []

    def state(_: object = None) -> None:
        states.append(inspect.getgeneratorstate(generator))

    generator = language.script([("call", state, None), ("yield", 1, None)])
    state()
    next(generator)
    state()
    list(generator)
    state()
    assert states == ["GEN_CREATED", "GEN_RUNNING", "GEN_SUSPENDED", "GEN_CLOSED"]


def test_its_frame_and_code(language: Any) -> None:
    generator = language.yields([1, 2])
    code = generator.gi_code
    assert (code.co_name, code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ITERABLE_COROUTINE)) == ("yields", 0x20)
    assert code.co_filename.endswith("native_generators.py" if language is native_generators else "raw_generators.cpp")
    next(generator)
    with open(code.co_filename) as source:
        assert "yield" in source.read().splitlines()[generator.gi_frame.f_lineno - 1]
    assert generator.gi_frame.f_back is None
    assert generator.gi_frame.f_code.co_name == "yields"
    list(generator)
    assert generator.gi_frame is None
    assert generator.gi_code is not None
    awaitable = language.yields_as_coroutine([1])
    assert awaitable.gi_code.co_flags & 0x120 == 0x120


def test_the_attributes_are_read_only(language: Any) -> None:
    generator = language.yields([1])
    for attribute in ("gi_running", "gi_suspended", "gi_yieldfrom", "gi_frame", "gi_code"):
        with pytest.raises(AttributeError):
            setattr(generator, attribute, 1)
        with pytest.raises(AttributeError):
            delattr(generator, attribute)


# ---- its end -------------------------------------------------------------------------------------


def test_11_9_it_never_warns(language: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        language.yields([1])
        language.yields_as_coroutine([1])
        collect()
    assert caught == []


def test_dying_suspended_closes_it(language: Any) -> None:
    log: list[str] = []
    generator = language.guarded([1], log)
    next(generator)
    del generator
    assert log == GUARDS


def test_del_closes(language: Any) -> None:
    log: list[str] = []
    generator = language.guarded([1], log)
    next(generator)
    generator.__del__()
    assert log == GUARDS


def test_errors_of_its_end_are_unraisable(language: Any, unraisable: list[Any]) -> None:
    error = Boom()
    for last in (("raise", error, None), ("yield", 2, None)):
        generator = language.script([("yield", 1, GeneratorExit), last])
        next(generator)
        del generator
    (raised, _), (ignored, _) = unraisable
    assert raised is error
    assert comparable(("raised", ignored)) == ("raised", (RuntimeError, IGNORED))


def test_locals_are_released_at_once(language: Any) -> None:
    for end in ("exhaust", "close", "throw", "close before", "throw before"):
        item = Boom()
        reference = weakref.ref(item)
        generator = language.yields([item, item])
        del item
        if not end.endswith("before"):
            next(generator)
        if end == "exhaust":
            list(generator)
        elif end.startswith("close"):
            generator.close()
        else:
            assert outcome(generator.throw, KeyError)[0] == "raised"
        collect()
        if not (end == "close before" and language is native_generators):  # not in 3.12 (6.15)
            assert reference() is None, end


def test_a_cycle_through_keep_alive_is_collected() -> None:
    """What the garbage collector sees: the generator's own attributes, and `self` of a bound method."""

    class Name(str):
        generator: Any

    generator = raw_generators.count(2)
    next(generator)
    name = Name("name")
    name.generator = generator
    generator.__name__ = name
    reference = weakref.ref(generator)
    del generator, name
    collect()
    assert reference() is None


# ---- values of other types -----------------------------------------------------------------------


def test_values_are_converted() -> None:
    generator = raw_generators.describe()
    assert next(generator) == "start"
    assert generator.send(2.5) == "2.500000"
    assert generator.send(1) == "1.000000"
    assert outcome(generator.send, 0.0) == ("returned", True)
    assert list(raw_generators.words("a", "b")) == ["a", "b"]
    assert list(raw_generators.pulses(2)) == [None, None]
    assert outcome(next, raw_generators.pulses(0)) == ("returned", None)


def test_a_value_that_cannot_be_converted_leaves_it_as_it_was() -> None:
    generator = raw_generators.describe()
    next(generator)
    for wrong in ("text", [], object()):
        with pytest.raises(TypeError, match="must be real number"):
            generator.send(wrong)
    with pytest.raises(TypeError, match="can't send None to a generator whose Send type has no empty value"):
        next(generator)
    assert generator.gi_suspended
    assert generator.send(1) == "1.000000"


def test_none_is_the_empty_value() -> None:
    generator = raw_generators.sum()
    assert [next(generator), generator.send(1), generator.send(2)] == [0, 1, 3]
    assert outcome(next, generator) == ("returned", 3)


def test_a_generator_that_takes_nothing() -> None:
    generator = raw_generators.count(2)
    assert next(generator) == 0
    with pytest.raises(TypeError, match="can't send non-None value to a generator whose Send type is none"):
        generator.send(1)
    assert generator.send(None) == 1


def test_a_conversion_that_resumes_the_generator() -> None:
    class Sly:
        def __init__(self, act: Callable[[], Any]) -> None:
            self.act = act

        def __float__(self) -> float:
            self.act()
            return 3.0

    generator = raw_generators.describe()
    next(generator)
    assert generator.send(Sly(lambda: generator.send(1))) == "3.000000"
    assert outcome(generator.send, Sly(generator.close)) == ("returned", None)
    assert generator.close() is None


def test_a_yielded_value_that_cannot_be_converted() -> None:
    generator = raw_generators.yields_unconvertible()
    with pytest.raises(TypeError, match=exactly("cannot be converted")):
        next(generator)
    assert generator.gi_suspended
    assert outcome(next, generator) == ("returned", 7)


def test_a_cpp_exception() -> None:
    generator = raw_generators.throws("text")
    assert next(generator) == 1
    with pytest.raises(IndexError, match=exactly("text")):
        next(generator)
    assert list(generator) == []


def test_a_level_that_yields_nothing_yields_none() -> None:
    assert list(raw_generators.count_with_pulses(2)) == [-1, None, None]


def test_one_that_was_started_in_cpp() -> None:
    assert list(raw_generators.started(3)) == [1, 2]
    generator = raw_generators.empty()
    assert list(generator) == []
    assert generator.close() is None


def test_a_hidden_reference_is_refused() -> None:
    with pytest.raises(TypeError, match="a C\\+\\+ generator that takes a parameter by reference"):
        raw_generators.hidden_reference("text")


# ---- generator-based coroutines ------------------------------------------------------------------


def test_15_3_what_from_generator_makes(language: Any) -> None:
    generator = language.yields_as_coroutine([1])
    assert isinstance(generator, collections.abc.Generator)
    assert not isinstance(generator, collections.abc.Awaitable)
    assert not isinstance(generator, collections.abc.Coroutine)
    assert inspect.isawaitable(generator)
    assert not hasattr(generator, "__await__")
    assert not inspect.iscoroutine(generator)
    assert inspect.isgenerator(generator)
    assert list(generator) == [1]


def test_15_3_it_can_be_awaited(language: Any) -> None:
    async def await_it(generator: Any) -> Any:
        return await generator

    coroutine = await_it(language.yields_as_coroutine([1, 2]))
    assert [coroutine.send(None), coroutine.send("a")] == [1, 2]
    assert outcome(coroutine.send, "b") == ("returned", ["a", "b"])
    started = language.yields_as_coroutine([1, 2])
    next(started)
    coroutine = await_it(started)
    assert coroutine.send(None) == 2
    assert comparable(outcome(coroutine.throw, Boom("b"))) == ("raised", (Boom, "b"))
    coroutine = await_it(started)
    assert outcome(coroutine.send, None) == ("returned", None)


def test_7_2_a_plain_generator_cannot_be_awaited(language: Any) -> None:
    async def await_it(generator: Any) -> Any:
        await generator

    text = "object generator can't be used in 'await' expression"
    if VERSION >= (3, 14):
        text = "'generator' object can't be awaited"
    with pytest.raises(TypeError, match=exactly(text)):
        await_it(language.count(1)).send(None)


def test_15_4_15_5_types_coroutine_wraps_a_plain_one(language: Any) -> None:
    coroutine_of: Any = types.coroutine
    wrapped = coroutine_of(lambda: language.yields([1]))
    made = wrapped()
    assert type(made).__name__ == "_GeneratorWrapper"
    for kind in (collections.abc.Coroutine, collections.abc.Generator):
        assert issubclass(type(made), kind)
    assert (made.__name__, made.cr_running, made.cr_await) == ("yields", False, None)
    assert (made.cr_frame is None, made.cr_code.co_name) == (False, "yields")

    async def await_it() -> Any:
        return await wrapped()

    coroutine = await_it()
    assert coroutine.send(None) == 1
    assert outcome(coroutine.send, 2) == ("returned", [2])


def test_15_4_types_coroutine_returns_one_of_its_own_as_it_is(language: Any) -> None:
    generator = language.yields_as_coroutine([1])
    coroutine_of: Any = types.coroutine
    assert coroutine_of(lambda: generator)() is generator


# ---- differential --------------------------------------------------------------------------------


DEPTH = 3


def random_script(chance: random.Random, depth: int) -> list[Any]:
    steps: list[Any] = []
    for _ in range(chance.randint(0, 4)):
        caught = chance.choice([None, None, Boom, Exception, BaseException, GeneratorExit])
        kind = chance.choice(["yield", "yield", "yield", "from", "log", "raise", "return"])
        operand: Any = chance.randrange(100)
        if kind == "from":
            if depth == 0:
                continue
            operand = random_script(chance, depth - 1)
        elif kind == "raise":
            # Between C++ levels a StopIteration is an error like any other: it is converted where it reaches Python.
            errors = [Boom, KeyError, GeneratorExit, *([StopIteration] if depth == DEPTH else [])]
            operand = (chance.choice(errors), operand)
        steps.append((kind, operand, caught))
    return steps


def build(steps: list[Any], trace: list[Any]) -> list[Any]:
    built: list[Any] = []
    for kind, operand, caught in steps:
        if kind == "from":
            built.append((kind, build(operand, trace), caught))
        elif kind == "log":
            built.append(
                ("call", lambda last, operand=operand: trace.append((operand, comparable_value(last))), caught)
            )
        elif kind == "raise":
            built.append((kind, operand[0](operand[1]), caught))
        else:
            built.append((kind, operand, caught))
    return built


def comparable_value(value: Any) -> Any:
    return (type(value), str(value)) if isinstance(value, BaseException) else value


def trace_of(language: Any, steps: list[Any], actions: list[Any]) -> list[Any]:
    trace: list[Any] = []
    generator = language.script(build(steps, trace))
    for action, operand in actions:
        if action == "throw":
            trace.append(comparable(outcome(generator.throw, operand[0](operand[1]))))
        elif action == "close":
            trace.append(comparable(outcome(generator.close)))
        elif action == "next":
            trace.append(comparable(outcome(next, generator)))
        else:
            trace.append(comparable(outcome(generator.send, operand)))
        trace.append((generator.gi_running, generator.gi_suspended))
    return trace[:]


def pass_through_script(steps: list[Any]) -> Any:
    """CPython's generator, which a C++ generator yields from; its twin is CPython's own."""
    native_generators.kept.append(native_generators.script(steps))
    return raw_drive.pass_through(native_generators.kept[-1])


@pytest.mark.parametrize("kind", ["script", "script_as_coroutine", "pass_through"])
def test_random_programs(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = types.SimpleNamespace(
        script=native_generators.pass_through_script if kind == "pass_through" else native_generators.script
    )
    cpp = types.SimpleNamespace(script=pass_through_script if kind == "pass_through" else getattr(raw_generators, kind))
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    first = random.SystemRandom().randrange(10**9)
    for seed in range(first, first + (100 if SANITIZED else 500)):
        chance = random.Random(seed)
        steps = random_script(chance, DEPTH)
        actions: list[Any] = []
        for _ in range(chance.randint(1, 7)):
            action = chance.choice(["next", "next", "send", "throw", "close"])
            operand: Any = None
            if action == "send":
                operand = chance.choice([None, 1, 2])
            elif action == "throw":
                errors = [Boom, GeneratorExit, KeyboardInterrupt]
                operand = (chance.choice(errors), chance.randrange(100))
            actions.append((action, operand))
        expected = trace_of(oracle, steps, actions)
        assert trace_of(cpp, steps, actions) == expected, f"seed {seed}: {steps} {actions}"
        native_generators.kept.clear()


# ---- CPython's own tests -------------------------------------------------------------------------

ABOUT_ITS_TYPE = {
    "SignalAndYieldFromTest.test_raise_and_yield_from",  # its helper in C takes an exact generator
    # The frame is made when it is asked for, and has no variables; the code does nothing.
    "GeneratorTest.test_close_clears_frame",
    "ModifyUnderlyingIterableTest.test_modify_f_locals",
    "ModifyUnderlyingIterableTest.test_new_gen_from_gi_code",
}


@pytest.mark.skipif(
    importlib.util.find_spec("test.test_generators") is None, reason="CPython's tests are not installed"
)
def test_cpythons_own_tests_with_a_pass_through() -> None:
    """What fails with a C++ generator around each generator also fails with one of CPython's own around it."""

    def run(kind: str) -> Any:
        script = Path(__file__).with_name("cpython_generators.py")
        done = subprocess.run(
            [sys.executable, str(script), kind],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        )
        return json.loads(done.stdout)

    cpp, native = run("cpp"), run("native")
    assert cpp["ran"] == native["ran"] > 25
    failed = {name.split()[0]: text for name, text in cpp["failed"].items() if name not in native["failed"]}
    assert failed.keys() <= ABOUT_ITS_TYPE, failed
