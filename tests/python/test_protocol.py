"""Clauses of the protocol's specification, each test named after its clause, for CPython's own coroutines and for C++.

`language` is one of the two. Where an expectation holds only for one of them, the test says why.
"""

import asyncio
import collections.abc
import contextlib
import contextvars
import copy
import functools
import gc
import inspect
import marshal
import pickle
import re
import sys
import threading
import types
import unittest
import unittest.mock
import warnings
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

import native
import pytest
import raw_protocol
from support import (
    GIVE,
    GUARDS,
    RERAISE,
    VERSION,
    Boom,
    Iterator,
    Recorder,
    SubExit,
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
    fail,
    finish,
    functions_in,
    generator_awaitable,
    outcome,
    run,
    too_deep_a_tower,
    tower,
)

REUSE = "cannot reuse already awaited coroutine"
EXECUTING = "coroutine already executing"
AWAITED = "coroutine is being awaited already"
IGNORED = "coroutine ignored GeneratorExit"
UNSTARTED = "can't send non-None value to a just-started coroutine"


def exactly(text: str) -> str:
    return f"^{re.escape(text)}$"


@pytest.fixture(params=["in native", "in cpp"])
def awaiter(request: pytest.FixtureRequest) -> Any:
    """The language of the one who awaits, where `language` is that of the awaited."""
    return native if request.param == "in native" else raw_protocol


def suspended(language: Any) -> Any:
    """A coroutine that has yielded 1 and would yield 2."""
    coroutine = language.yields([1, 2])
    assert coroutine.send(None) == 1
    return coroutine


def finished(language: Any) -> Any:
    coroutine = language.value(1)
    finish(coroutine)
    return coroutine


# ---- 1: creation, names --------------------------------------------------------------------------


def test_1_1_a_call_runs_no_body_code(language: Any) -> None:
    log: list[str] = []
    coroutine = language.script([do_log(log, "ran")])
    assert log == []
    finish(coroutine)
    assert log == ["ran"]


def test_1_2_wrong_arguments_are_refused_by_the_call(language: Any) -> None:
    with pytest.raises(TypeError):
        language.value()
    with pytest.raises(TypeError):
        language.value(1, 2)


def test_1_4_not_instantiable(language: Any) -> None:
    coroutine = language.value(1)
    with pytest.raises(TypeError, match=exactly("cannot create 'coroutine' instances")):
        type(coroutine)()
    coroutine.close()


def test_1_5_not_subclassable(language: Any) -> None:
    coroutine = language.value(1)
    with pytest.raises(TypeError, match="type '.*coroutine' is not an acceptable base type"):
        type("Sub", (type(coroutine),), {})
    coroutine.close()


def test_1_6_the_type_is_immutable(language: Any) -> None:
    coroutine = language.value(1)
    with pytest.raises(TypeError, match=exactly("cannot set 'foo' attribute of immutable type 'coroutine'")):
        type(coroutine).foo = 1
    coroutine.close()


def test_1_7_no_instance_dictionary(language: Any) -> None:
    coroutine = language.value(1)
    text = "'coroutine' object has no attribute 'foo'"
    if VERSION >= (3, 13):
        text += " and no __dict__ for setting new attributes"
    with pytest.raises(AttributeError, match=exactly(text)):
        coroutine.foo = 1
    assert not hasattr(coroutine, "__dict__")
    coroutine.close()


def test_no_iteration_attributes(language: Any) -> None:
    coroutine = language.value(1)
    assert not hasattr(coroutine, "__iter__")
    assert not hasattr(coroutine, "__next__")
    for name in "__await__ __del__ __name__ __qualname__ __repr__ __sizeof__ close cr_origin send throw".split():
        assert hasattr(coroutine, name), name
    coroutine.close()


def test_1_10_identity_truth_and_tracking(language: Any) -> None:
    one: Any = language.value(1)
    other: Any = language.value(1)
    assert one == one
    assert one != other
    assert len({one, other, one}) == 2
    assert one
    assert gc.is_tracked(one)
    reference = weakref.ref(one)
    assert id(reference()) == id(one)
    one.close()
    other.close()


def test_1_11_docstrings(language: Any) -> None:
    coroutine = language.value(1)
    assert type(coroutine).__doc__ is None
    send = "send(arg) -> send 'arg' into coroutine,\nreturn next iterated value or raise StopIteration."
    assert type(coroutine).send.__doc__ == send
    assert type(coroutine).close.__doc__ == "close() -> raise GeneratorExit inside coroutine."
    assert type(coroutine).__await__.__doc__ == "Return an iterator to be used in await expression."
    coroutine.close()


def test_1_13_the_name_is_that_of_the_function(language: Any) -> None:
    for function, arguments in (("value", (1,)), ("nothing", ()), ("deep_plain", (1, 1))):
        coroutine = getattr(language, function)(*arguments)
        assert coroutine.__name__ == coroutine.__qualname__ == function
        coroutine.close()


def test_1_14_names_can_be_set_to_any_str(language: Any) -> None:
    class Text(str):
        pass

    coroutine = language.value(1)
    coroutine.__name__ = "other"
    assert (coroutine.__name__, coroutine.__qualname__) == ("other", "value")
    text = Text("Class.other")
    coroutine.__qualname__ = text
    assert coroutine.__qualname__ is text
    for name in ("__name__", "__qualname__"):
        message = exactly(f"{name} must be set to a string object")
        with pytest.raises(TypeError, match=message):
            setattr(coroutine, name, 1)
        with pytest.raises(TypeError, match=message):
            delattr(coroutine, name)
    coroutine.close()


def test_1_15_repr_shows_the_current_qualified_name(language: Any) -> None:
    coroutine = language.value(1)
    assert re.fullmatch(r"<coroutine object value at 0x[0-9a-f]+>", repr(coroutine))
    coroutine.__qualname__ = "Class.method"
    assert repr(coroutine) == f"<coroutine object Class.method at {hex(id(coroutine))}>"
    coroutine.close()


def test_1_16_names_survive_completion(language: Any) -> None:
    coroutine = finished(language)
    assert coroutine.__name__ == coroutine.__qualname__ == "value"
    assert "coroutine object value at" in repr(coroutine)


# ---- 2: send -------------------------------------------------------------------------------------


def test_2_1_the_first_send_starts_the_body(language: Any) -> None:
    item = object()
    coroutine = language.yields([item])
    assert coroutine.send(None) is item
    coroutine.close()


def test_2_2_a_value_cannot_start_it(language: Any) -> None:
    coroutine = language.yields([1])
    for value in (1, False, ()):
        with pytest.raises(TypeError, match=exactly(UNSTARTED)):
            coroutine.send(value)
    assert coroutine.send(None) == 1
    coroutine.close()


def test_2_3_what_is_sent_is_the_value_of_the_yield(language: Any) -> None:
    items = [object(), object(), None]
    coroutine = language.yields([1, 2, 3])
    assert coroutine.send(None) == 1
    assert coroutine.send(items[0]) == 2
    assert coroutine.send(items[1]) == 3
    kind, sent = outcome(coroutine.send, items[2])
    assert kind == "returned"
    assert all(a is b for a, b in zip(sent, items, strict=True))


@pytest.mark.parametrize(
    "result",
    [(1, 2), (), ValueError("v"), ValueError, StopIteration(5), StopIteration, [1], 0, "text", (ValueError, "v", None)],
    ids=repr,
)
def test_2_5_the_returned_value_is_never_unpacked(language: Any, result: object) -> None:
    with pytest.raises(StopIteration) as caught:
        language.value(result).send(None)
    assert type(caught.value) is StopIteration
    assert caught.value.value is result
    assert caught.value.args == (result,)


def test_2_4_none_is_returned_without_arguments(language: Any) -> None:
    for coroutine in (language.nothing(), language.value(None)):
        with pytest.raises(StopIteration) as caught:
            coroutine.send(None)
        assert caught.value.args == ()
        assert caught.value.value is None


def test_2_4_the_result_dies_with_its_last_user(language: Any) -> None:
    class Result:
        pass

    made = Result()
    alive = weakref.ref(made)
    coroutine = language.value(made)
    del made
    result = outcome(coroutine.send, None)
    assert alive() is result[1]
    del result
    assert alive() is None


def test_2_6_an_error_that_leaves_the_body_closes_it(language: Any) -> None:
    error = Boom("left")
    coroutine = language.script([do_yield(1), do_raise(error)])
    coroutine.send(None)
    with pytest.raises(Boom) as caught:
        coroutine.send(None)
    assert caught.value is error
    with pytest.raises(RuntimeError, match=exactly(REUSE)):
        coroutine.send(None)


def test_2_7_a_finished_coroutine_cannot_be_resumed(language: Any) -> None:
    closed = language.value(1)
    closed.close()
    for coroutine in (finished(language), closed):
        for value in (None, 1):
            with pytest.raises(RuntimeError, match=exactly(REUSE)):
                coroutine.send(value)


def test_2_8_a_running_coroutine_cannot_be_resumed(language: Any) -> None:
    found: list[Any] = []

    def resume(_: object) -> None:
        for value in (None, 1):
            found.append(comparable(outcome(coroutine.send, value)))

    coroutine = language.script([do_call(resume), do_yield("yielded"), do_call(resume)])
    assert coroutine.send(None) == "yielded"
    assert outcome(coroutine.send, None) == ("returned", None)
    assert found == [("raised", (ValueError, EXECUTING))] * 4


def test_2_8_nor_from_another_thread(language: Any) -> None:
    found: list[Any] = []

    def resume() -> None:
        found.append(comparable(outcome(coroutine.send, None)))
        found.append(comparable(outcome(coroutine.throw, Boom())))
        found.append(comparable(outcome(coroutine.close)))

    def in_thread(_: object) -> None:
        thread = threading.Thread(target=resume)
        thread.start()
        thread.join()

    coroutine = language.script([do_call(in_thread), do_return("end")])
    assert finish(coroutine) == "end"
    assert found == [("raised", (ValueError, EXECUTING))] * 3


def test_2_9_arity_of_send(language: Any) -> None:
    coroutine = language.value(1)
    with pytest.raises(TypeError, match=exactly("coroutine.send() takes exactly one argument (0 given)")):
        coroutine.send()
    with pytest.raises(TypeError, match=exactly("coroutine.send() takes exactly one argument (2 given)")):
        coroutine.send(1, 2)
    with pytest.raises(TypeError, match=exactly("coroutine.send() takes no keyword arguments")):
        coroutine.send(value=None)
    coroutine.close()


def test_2_11_misuse_is_raised_in_the_drivers_context(language: Any) -> None:
    running: list[BaseException] = []

    def resume(_: object) -> None:
        try:
            raise KeyError
        except KeyError as handled:
            with pytest.raises(ValueError, match=EXECUTING) as caught:
                coroutine.send(None)
            assert caught.value.__context__ is handled
            running.append(caught.value)

    coroutine = language.script([do_call(resume)])
    finish(coroutine)
    assert running
    unstarted = language.value(1)
    calls: list[Callable[[], Any]] = [
        lambda: unstarted.send(1),
        lambda: coroutine.send(None),
        lambda: coroutine.throw(Boom()),
    ]
    for call in calls:
        try:
            raise KeyError
        except KeyError as handled:
            with pytest.raises((TypeError, RuntimeError)) as caught:
                call()
            assert caught.value.__context__ is handled
    unstarted.close()


# ---- 3: what await-iterators give ----------------------------------------------------------------


class SubStop(StopIteration):
    pass


def changed_stop() -> StopIteration:
    stop = StopIteration("original")
    stop.value = "changed"
    return stop


@pytest.mark.parametrize(
    ("stop", "result"),
    [
        (StopIteration(), None),
        (StopIteration(1), 1),
        (StopIteration(1, 2), 1),
        (StopIteration((1, 2)), (1, 2)),
        (SubStop(3), 3),
        (StopIteration, None),
        (changed_stop(), "changed"),
    ],
    ids=str,
)
def test_3_1_await_gives_the_value_attribute(language: Any, stop: Any, result: object) -> None:
    class Raising(Recorder):
        def __next__(self) -> object:
            raise stop

        def send(self, value: object) -> object:
            if self.items:
                return self.items.pop()
            raise stop

    assert outcome(language.pass_through(Raising()).send, None) == ("returned", result)

    class Second(Iterator):
        def __next__(self) -> object:
            return "yielded"

        def send(self, value: object) -> object:
            raise stop

    coroutine = language.pass_through(Second())
    assert coroutine.send(None) == "yielded"
    assert outcome(coroutine.send, 1) == ("returned", result)


def test_3_2_none_goes_to_next_and_a_value_to_send(language: Any) -> None:
    awaited = Recorder(1, 2, 3, result="end")
    coroutine = language.pass_through(awaited)
    assert coroutine.send(None) == 1
    assert coroutine.send("value") == 2
    assert coroutine.send(None) == 3
    assert outcome(coroutine.send, 0) == ("returned", "end")
    assert awaited.calls == [("next",), ("send", "value"), ("next",), ("send", 0)]


def test_3_2_a_missing_send_is_an_error_in_the_coroutine(language: Any) -> None:
    coroutine = language.script([do_await(Iterator(1, 2), AttributeError, [GIVE])])
    assert coroutine.send(None) == 1
    kind, error = outcome(coroutine.send, "value")
    assert kind == "returned"
    assert str(error) == "'Iterator' object has no attribute 'send'"


def by_send(coroutine: Any) -> Callable[[Any], Any]:
    return lambda value: outcome(coroutine.send, value)


def by_wrapper(coroutine: Any) -> Callable[[Any], Any]:
    iterator = coroutine.__await__()
    return lambda value: outcome(next, iterator) if value is None else outcome(iterator.send, value)


def by_iter_send(coroutine: Any) -> Callable[[Any], Any]:
    def step(value: Any) -> Any:
        try:
            kind, result = raw_protocol.iter_send(coroutine, value)
        except BaseException as e:
            return ("raised", e)
        return ("yielded" if kind == "next" else "returned", result)

    return step


def by_native_await(coroutine: Any) -> Callable[[Any], Any]:
    return by_send(native.pass_through(coroutine))


def by_cpp_await(coroutine: Any) -> Callable[[Any], Any]:
    return by_send(raw_protocol.pass_through(coroutine))


def by_traced_await(coroutine: Any) -> Callable[[Any], Any]:
    outer = native.pass_through(coroutine)

    def step(value: Any) -> Any:
        before = sys.gettrace()
        sys.settrace(lambda *_: None)
        try:
            return outcome(outer.send, value)
        finally:
            sys.settrace(before)

    return step


@pytest.mark.parametrize(
    "entry",
    [by_send, by_wrapper, by_iter_send, by_native_await, by_cpp_await, by_traced_await],
    ids=lambda e: e.__name__,
)
def test_3_3_14_1_14_3_14_5_all_entry_points_behave_alike(
    language: Any, entry: Callable[[Any], Callable[[Any], Any]]
) -> None:
    step = entry(language.yields([1, None, (2, 3)]))
    assert step(None) == ("yielded", 1)
    assert step(None) == ("yielded", None)
    assert step("a") == ("yielded", (2, 3))
    assert step((4, 5)) == ("returned", [None, "a", (4, 5)])
    assert comparable(step(None)) == ("raised", (RuntimeError, REUSE))

    step = entry(language.nothing())
    assert step(None) == ("returned", None)
    step = entry(language.value((1, 2)))
    assert step(None) == ("returned", (1, 2))
    error = Boom()
    step = entry(language.script([do_raise(error)]))
    assert step(None) == ("raised", error)
    step = entry(language.script([do_raise(StopIteration(1))]))
    assert comparable(step(None)) == ("raised", (RuntimeError, "coroutine raised StopIteration"))


# ---- 4: StopIteration that leaves a body ---------------------------------------------------------


def si(_: object) -> None:
    raise StopIteration("value")


@pytest.mark.parametrize("stop", [StopIteration("v"), StopIteration(), SubStop(1)], ids=repr)
def test_4_1_stop_iteration_becomes_a_runtime_error(language: Any, stop: StopIteration) -> None:
    with pytest.raises(RuntimeError, match=exactly("coroutine raised StopIteration")) as caught:
        language.script([do_raise(stop)]).send(None)
    assert caught.value.__cause__ is stop
    assert caught.value.__context__ is stop
    assert caught.value.__suppress_context__
    coroutine = language.script([do_yield(1, GeneratorExit, [do_raise(stop)])])
    coroutine.send(None)
    with pytest.raises(RuntimeError, match=exactly("coroutine raised StopIteration")):
        coroutine.close()


def test_4_1_the_cause_keeps_its_traceback(language: Any) -> None:
    with pytest.raises(RuntimeError, match=exactly("coroutine raised StopIteration")) as caught:
        language.script([do_call(si)]).send(None)
    assert caught.value.__cause__ is not None
    assert functions_in(caught.value.__cause__)[-2:] == ["script", "si"]
    assert functions_in(caught.value) == ["test_4_1_the_cause_keeps_its_traceback"]


@pytest.mark.parametrize("error", [StopAsyncIteration("s"), GeneratorExit("g")], ids=repr)
def test_4_2_others_pass_unchanged(language: Any, error: BaseException) -> None:
    assert outcome(language.script([do_raise(error)]).send, None) == ("raised", error)


def test_4_3_converted_only_once(language: Any, awaiter: Any) -> None:
    stop = StopIteration(1)
    coroutine = awaiter.pass_through(awaiter.pass_through(language.script([do_raise(stop)])))
    with pytest.raises(RuntimeError, match=exactly("coroutine raised StopIteration")) as caught:
        coroutine.send(None)
    assert caught.value.__cause__ is stop


def test_4_4_thrown_before_the_start(language: Any) -> None:
    if language is native and VERSION >= (3, 12):
        pytest.skip("CPython bug 152685")
    stop = StopIteration("q")
    with pytest.raises(RuntimeError, match=exactly("coroutine raised StopIteration")) as caught:
        language.value(1).throw(stop)
    assert caught.value.__cause__ is stop


def test_4_5_thrown_where_nothing_takes_it(language: Any) -> None:
    if language is native and VERSION >= (3, 12):
        pytest.skip("CPython takes it for the result of the await")
    coroutine = language.pass_through(Iterator(1))
    coroutine.send(None)
    with pytest.raises(RuntimeError, match=exactly("coroutine raised StopIteration")):
        coroutine.throw(StopIteration("q"))


def test_4_5_thrown_into_a_generator(language: Any) -> None:
    def generator() -> Generator[int, None, None]:
        yield 1

    coroutine = language.pass_through(generator_awaitable(generator()))
    coroutine.send(None)
    with pytest.raises(RuntimeError, match=exactly("generator raised StopIteration")):
        coroutine.throw(StopIteration("q"))


@pytest.mark.parametrize("stop", [StopIteration("v"), SubStop("v"), StopIteration("v", "w")], ids=repr)
def test_4_6_the_iterators_own_throw_may_complete_the_await(language: Any, stop: StopIteration) -> None:
    awaited = Recorder(1)

    def on_throw(*_: object) -> object:
        raise stop

    awaited.on_throw = on_throw
    coroutine = language.pass_through(awaited)
    coroutine.send(None)
    assert outcome(coroutine.throw, Boom()) == ("returned", "v")


# ---- 5: throw ------------------------------------------------------------------------------------


def throws(coroutine: Any, *arguments: Any) -> Any:
    """outcome() of throw(), in any of its forms."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return outcome(coroutine.throw, *arguments)


def test_5_1_arity(language: Any) -> None:
    coroutine = suspended(language)
    with pytest.raises(TypeError, match=exactly("throw expected at least 1 argument, got 0")):
        coroutine.throw()
    with pytest.raises(TypeError, match=exactly("throw expected at most 3 arguments, got 4")):
        coroutine.throw(1, 2, 3, 4)
    with pytest.raises(TypeError, match=exactly("coroutine.throw() takes no keyword arguments")):
        coroutine.throw(typ=Boom)
    assert coroutine.send(None) == 2
    coroutine.close()


def test_5_2_several_arguments_are_deprecated(language: Any) -> None:
    text = "the (type, exc, tb) signature of throw() is deprecated, use the single-arg signature instead."
    for arguments in ((Boom, "v"), (Boom, "v", None), (Boom(), None)):
        for coroutine in (language.value(1), suspended(language), finished(language)):
            with warnings.catch_warnings(record=True) as shown:
                warnings.simplefilter("always")
                outcome(coroutine.throw, *arguments)
            if VERSION >= (3, 12):
                assert [str(w.message) for w in shown] == [text]
                assert shown[0].category is DeprecationWarning
                assert shown[0].filename == __file__.replace("test_protocol", "support")
            else:
                assert shown == []


def test_5_2_the_warning_as_an_error_leaves_the_coroutine_alone(language: Any) -> None:
    if VERSION < (3, 12):
        pytest.skip("there is no warning before 3.12")
    unstarted, coroutine = language.yields([1]), suspended(language)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeprecationWarning):
            coroutine.throw(Boom, "v")
        with pytest.raises(DeprecationWarning):
            unstarted.throw(Boom, "v")
    assert coroutine.send(None) == 2
    assert unstarted.send(None) == 1
    coroutine.close()
    unstarted.close()


class Sub(Boom):
    pass


@pytest.mark.parametrize(
    ("arguments", "kind", "args"),
    [
        ((Boom("i"),), Boom, ("i",)),
        ((Boom,), Boom, ()),
        ((Boom, "v"), Boom, ("v",)),
        ((Boom, (1, 2)), Boom, (1, 2)),
        ((Boom, None), Boom, ()),
        ((Boom, Boom("i")), Boom, ("i",)),
        ((Boom, Sub("i")), Sub, ("i",)),
        ((Boom("i"), None), Boom, ("i",)),
        ((Boom("i"), None, None), Boom, ("i",)),
        ((Boom, "v", None), Boom, ("v",)),
    ],
    ids=repr,
)
def test_5_3_accepted_forms(language: Any, arguments: Any, kind: type[Boom], args: Any) -> None:
    for coroutine in (suspended(language), language.value(1)):
        how, error = throws(coroutine, *arguments)
        assert how == "raised"
        assert type(error) is kind
        assert error.args == args


def test_5_3_an_instance_of_another_class_is_an_argument(language: Any) -> None:
    other = KeyError("k")
    _, error = throws(suspended(language), Boom, other)
    assert type(error) is Boom
    assert error.args == (other,)


BAD_ARGUMENTS: list[Any] = [
    ((Boom(), "v"), "instance exception may not have a separate value"),
    ((Boom, "v", 1), "throw() third argument must be a traceback object"),
    ((1,), "exceptions must be classes or instances deriving from BaseException, not int"),
    ((int,), "exceptions must be classes or instances deriving from BaseException, not type"),
    ((None,), "exceptions must be classes or instances deriving from BaseException, not NoneType"),
]


@pytest.mark.parametrize(("arguments", "text"), BAD_ARGUMENTS, ids=lambda a: repr(a))
def test_5_4_wrong_arguments(language: Any, arguments: Any, text: str) -> None:
    coroutine = suspended(language)
    assert comparable(throws(coroutine, *arguments)) == ("raised", (TypeError, text))
    assert coroutine.send(None) == 2
    coroutine.close()
    unstarted = language.yields([1])
    assert comparable(throws(unstarted, *arguments)) == ("raised", (TypeError, text))
    assert unstarted.send(None) == 1
    unstarted.close()


def test_5_5_a_constructor_that_raises(language: Any) -> None:
    class Bad(Exception):
        def __init__(self) -> None:
            raise Boom("constructor")

    coroutine = language.script([do_yield(1, Boom, [GIVE])])
    coroutine.send(None)
    kind, error = throws(coroutine, Bad)
    assert (kind, str(error)) == ("returned", "constructor")


def test_5_5_a_constructor_that_makes_no_exception(language: Any) -> None:
    class Odd(Exception):
        def __new__(cls) -> Any:
            return 1

    coroutine = language.script([do_yield(1, TypeError, [GIVE])])
    coroutine.send(None)
    kind, error = throws(coroutine, Odd)
    assert kind == "returned"
    assert re.match("calling .*Odd.* should have returned an instance of BaseException, not ", str(error))


@pytest.mark.parametrize(("arguments", "text"), BAD_ARGUMENTS, ids=lambda a: repr(a))
def test_5_6_wrong_arguments_where_an_iterator_without_throw_is_awaited(
    language: Any, arguments: Any, text: str
) -> None:
    coroutine = language.pass_through(Iterator(1, 2, result="end"))
    assert coroutine.send(None) == 1
    assert comparable(throws(coroutine, *arguments)) == ("raised", (TypeError, text))
    assert coroutine.send(None) == 2
    assert outcome(coroutine.send, None) == ("returned", "end")


@pytest.mark.parametrize(("arguments", "text"), BAD_ARGUMENTS, ids=lambda a: repr(a))
def test_5_6_wrong_arguments_where_a_coroutine_or_generator_is_awaited(
    language: Any, arguments: Any, text: str
) -> None:
    def generator() -> Generator[int, None, None]:
        yield 1

    for make in (lambda: native.yields([1]), lambda: generator_awaitable(generator())):
        coroutine = language.script([do_await(make(), TypeError, [GIVE])])
        assert coroutine.send(None) == 1
        kind, error = throws(coroutine, *arguments)
        assert (kind, str(error)) == ("returned", text)


@pytest.mark.parametrize(
    "arguments", [(1,), (None,), (1, 2), (1, 2, 3), (Boom,), (Boom, "v"), (Boom, None, None)], ids=repr
)
def test_5_6_5_20_the_arguments_reach_a_foreign_throw_as_they_are(language: Any, arguments: Any) -> None:
    awaited = Recorder(1, 2)
    awaited.on_throw = lambda *_: "thrown"
    coroutine = language.pass_through(awaited)
    coroutine.send(None)
    assert throws(coroutine, *arguments) == ("yielded", "thrown")
    assert awaited.calls == [("next",), ("throw", *arguments)]
    coroutine.close()


def test_5_7_wrong_arguments_and_the_state(language: Any) -> None:
    """Up to 3.14 the arguments are looked at first."""
    for arguments, text in BAD_ARGUMENTS:
        expected = (TypeError, text) if VERSION < (3, 15) else (RuntimeError, REUSE)
        assert comparable(throws(finished(language), *arguments)) == ("raised", expected)


def test_5_7_wrong_arguments_while_it_runs(language: Any) -> None:
    found: list[Any] = []

    def throw(_: object) -> None:
        found.extend(comparable(throws(coroutine, *arguments)) for arguments, _ in BAD_ARGUMENTS)

    coroutine = language.script([do_call(throw), do_return("end")])
    assert finish(coroutine) == "end"
    running = (ValueError, "coroutine already executing")
    assert found == [("raised", (TypeError, text) if VERSION < (3, 15) else running) for _, text in BAD_ARGUMENTS]


def test_5_8_before_the_start_no_body_code_runs(language: Any) -> None:
    log: list[str] = []
    coroutine = language.script([do_log(log, "ran")])
    error = Boom("early")
    with pytest.raises(Boom) as caught:
        coroutine.throw(error)
    assert caught.value is error
    assert log == []
    with pytest.raises(RuntimeError, match=exactly(REUSE)):
        coroutine.send(None)


def test_5_8_the_arguments_are_released(language: Any) -> None:
    argument = Boom("argument")
    before = sys.getrefcount(argument)
    coroutine = language.value(argument)
    with pytest.raises(KeyError):
        coroutine.throw(KeyError)
    assert sys.getrefcount(argument) == before


def test_5_9_caught_it_goes_on(language: Any) -> None:
    coroutine = language.script([do_yield(1, Boom, [do_yield(2), do_return("end")])])
    assert coroutine.send(None) == 1
    assert coroutine.throw(Boom()) == 2
    assert outcome(coroutine.send, None) == ("returned", "end")
    coroutine = language.script([do_yield(1, Boom, [do_return("end")])])
    coroutine.send(None)
    assert outcome(coroutine.throw, Boom()) == ("returned", "end")


def test_5_10_a_finished_coroutine_drops_it(language: Any) -> None:
    for error in (Boom("dropped"), GeneratorExit("dropped")):
        coroutine = finished(language)
        before = error.__traceback__
        with pytest.raises(RuntimeError, match=exactly(REUSE)) as caught:
            coroutine.throw(error)
        assert error.__traceback__ is before
        assert caught.value.__context__ is None


def test_5_11_a_running_coroutine_refuses_it(language: Any) -> None:
    found: list[Any] = []
    coroutine = language.script([do_call(lambda _: found.append(comparable(outcome(coroutine.throw, Boom()))))])
    finish(coroutine)
    assert found == [("raised", (ValueError, EXECUTING))]


def test_5_2_one_warning_also_where_a_coroutine_is_awaited(language: Any) -> None:
    if VERSION < (3, 12):
        pytest.skip("there is no warning before 3.12")
    for inner in (native, raw_protocol):
        coroutine = language.pass_through(inner.yields([1]))
        coroutine.send(None)
        with pytest.warns(DeprecationWarning) as shown, pytest.raises(Boom):
            coroutine.throw(Boom, "v")
        # A foreign one gets all arguments, and warns too.
        assert len(shown) == (1 if inner is native else 2)


@pytest.mark.parametrize(
    "error", [Boom("b"), KeyboardInterrupt("k"), asyncio.CancelledError("c"), GeneratorExit("g")], ids=repr
)
def test_5_12_the_same_instance_is_delivered(language: Any, error: BaseException) -> None:
    for coroutine in (
        language.script([do_yield(1, BaseException, [GIVE])]),
        language.script([do_await(Iterator(1), BaseException, [GIVE])]),
        language.script([do_await(language.yields([1]), BaseException, [GIVE])]),
        language.script([do_await(native.yields([1]), BaseException, [GIVE])]),
    ):
        coroutine.send(None)
        kind, delivered = outcome(coroutine.throw, error)
        assert kind == "returned"
        assert delivered is error


def made_at(error: BaseException) -> BaseException:
    def mk() -> None:
        raise error

    try:
        mk()
    except BaseException as e:
        return e
    raise AssertionError


def test_5_13_old_traceback_entries_stay_below_the_new_ones(language: Any) -> None:
    for coroutine in (suspended(language), language.value(1)):
        error = made_at(Boom())
        assert functions_in(error) == ["made_at", "mk"]
        name = coroutine.__name__
        assert outcome(coroutine.throw, error) == ("raised", error)
        assert functions_in(error) == ["outcome", name, "made_at", "mk"]


def test_5_13_a_given_traceback_is_the_start(language: Any) -> None:
    error = made_at(Boom())
    _, raised = throws(suspended(language), Boom, "v", error.__traceback__)
    assert functions_in(raised) == ["outcome", "yields", "made_at", "mk"]


def test_5_14_every_level_appears(language: Any) -> None:
    def generator() -> Generator[int, None, None]:
        yield 1

    coroutine = native.pass_through(language.pass_through(generator_awaitable(generator())))
    coroutine.send(None)
    _, error = outcome(coroutine.throw, Boom())
    assert functions_in(error) == ["outcome", "pass_through", "pass_through", "generator"]


def test_5_15_the_drivers_exception_is_no_context_of_what_is_thrown(language: Any) -> None:
    for thrown in (Boom("t"), Boom):
        for coroutine in (suspended(language), language.value(1), language.pass_through(Iterator(1))):
            if coroutine.__name__ == "pass_through":
                coroutine.send(None)
            try:
                raise KeyError
            except KeyError:
                with pytest.raises(Boom) as caught:
                    coroutine.throw(thrown)
                assert caught.value.__context__ is None


def test_5_15_a_preset_context_is_kept(language: Any) -> None:
    error, context = Boom(), KeyError()
    error.__context__ = context
    with pytest.raises(Boom):
        suspended(language).throw(error)
    assert error.__context__ is context


@pytest.fixture
def handling(language: Any) -> Any:
    """A coroutine of this language that awaits a native one, which is suspended where it handles a KeyError."""

    async def below() -> None:
        try:
            raise KeyError("handled")
        except KeyError:
            await native.once(1)

    return language.pass_through(below())


def test_5_15_the_context_is_what_the_level_below_handles(handling: Any) -> None:
    handling.send(None)
    error = Boom()
    assert outcome(handling.throw, error) == ("raised", error)
    assert repr(error.__context__) == "KeyError('handled')"


def test_5_16_what_the_body_raises_has_the_drivers_context(language: Any) -> None:
    def raises(_: object) -> None:
        raise Boom

    how = [do_call(raises), do_await(fail(Boom()))]
    if language is native:
        how.append(do_raise(Boom()))  # a C++ throw sets no context
    for step in how:
        coroutine = language.script([do_yield(1), step])
        coroutine.send(None)
        try:
            raise KeyError
        except KeyError as handled:
            with pytest.raises(Boom) as caught:
                coroutine.send(None)
            assert caught.value.__context__ is handled


def test_5_16_leaving_the_body_restores_the_drivers(handling: Any) -> None:
    with pytest.raises(ValueError, match="outer") as caught:
        try:
            raise ValueError("outer")
        except ValueError:
            handling.send(None)
            raise
    assert caught.value.__context__ is None
    handling.close()


def test_5_16_exc_info_in_the_body_is_the_drivers(language: Any) -> None:
    seen: list[Any] = []
    look = do_call(lambda _: seen.append(sys.exception()))
    coroutine = language.script([look, do_yield(1), look, do_yield(2), look])
    try:
        raise KeyError("first")
    except KeyError as first:
        coroutine.send(None)
        assert seen == [first]
        assert sys.exception() is first
    coroutine.send(None)
    assert seen[1] is None
    try:
        raise KeyError("third")
    except KeyError as third:
        finish(coroutine)
        assert seen[2] is third
        assert sys.exception() is third


def test_5_17_no_cycle_when_the_handled_exception_is_thrown(language: Any) -> None:
    try:
        raise Boom
    except Boom as e:
        with pytest.raises(Boom):
            suspended(language).throw(e)
        assert e.__context__ is None


def test_5_18_raise_without_an_exception(language: Any) -> None:
    def raises(_: object) -> None:
        raise

    with pytest.raises(RuntimeError, match=exactly("No active exception to reraise")):
        language.script([do_call(raises)]).send(None)
    coroutine = language.script([do_yield(1), do_call(raises)])
    coroutine.send(None)
    try:
        raise Boom
    except Boom as handled:
        assert outcome(coroutine.send, None) == ("raised", handled)


def test_5_19_the_innermost_is_first(language: Any, awaiter: Any) -> None:
    log: list[str] = []
    inner = language.script([do_yield(1, Boom, [do_log(log, "inner"), do_return("from inner")])])
    outer = awaiter.script([do_await(inner, Boom, [do_log(log, "outer")]), GIVE])
    outer.send(None)
    assert outcome(outer.throw, Boom()) == ("returned", "from inner")
    assert log == ["inner"]


def test_5_19_and_so_on_outward(language: Any, awaiter: Any) -> None:
    log: list[str] = []

    def level(language: Any, name: str, step: Any) -> Any:
        return language.script([(*step[:2], BaseException, [do_log(log, name), RERAISE])])

    innermost = level(language, "innermost", do_yield(1))
    middle = level(awaiter, "middle", do_await(innermost))
    outermost = level(language, "outermost", do_await(middle))
    outermost.send(None)
    error = Boom()
    with pytest.raises(Boom) as caught:
        outermost.throw(error)
    assert caught.value is error
    assert log == ["innermost", "middle", "outermost"]


def test_5_20_what_a_foreign_throw_gives(language: Any) -> None:
    error, other = Boom(), KeyError()
    awaited = Recorder(1, 2, 3)
    coroutine = language.script([do_await(awaited, KeyError, [GIVE])])
    coroutine.send(None)
    awaited.on_throw = lambda *_: "again"
    assert coroutine.throw(error) == "again"
    assert coroutine.send(None) == 2

    def fail(*_: object) -> object:
        raise other

    awaited.on_throw = fail
    assert outcome(coroutine.throw, error) == ("returned", other)
    assert awaited.calls == [("next",), ("throw", error), ("next",), ("throw", error)]


def test_5_21_without_throw_it_is_raised_at_the_await(language: Any) -> None:
    awaited = Iterator(1, 2)
    error = Boom()
    coroutine = language.script([do_await(awaited, Boom, [GIVE])])
    coroutine.send(None)
    assert outcome(coroutine.throw, error) == ("returned", error)
    assert awaited.items == [2]


class OddLookup(Iterator):
    """Looking up throw or close fails with something else than AttributeError."""

    def __getattr__(self, name: str) -> Any:
        if name in ("throw", "close"):
            raise OSError(name)
        raise AttributeError(name)


def test_5_22_an_error_of_the_lookup_goes_to_the_driver(language: Any) -> None:
    coroutine = language.script([do_await(OddLookup(1, 2, result="end"), BaseException, [do_return("caught")]), GIVE])
    assert coroutine.send(None) == 1
    with pytest.raises(OSError, match="throw"):
        coroutine.throw(Boom())
    assert coroutine.send(None) == 2
    assert outcome(coroutine.send, None) == ("returned", "end")


def test_5_22_so_it_does_where_cpp_drives() -> None:
    with pytest.raises(OSError, match="throw"):
        raw_protocol.throw_from_cpp(Iterator(1), OSError("throw"))
    with pytest.raises(OSError, match="throw"):
        raw_protocol.throw_from_cpp(OddLookup(1, 2), Boom())


def test_5_22_throw_that_is_none(language: Any) -> None:
    class Odd(Iterator):
        throw = None

    coroutine = language.pass_through(Odd(1))
    coroutine.send(None)
    with pytest.raises(TypeError, match=exactly("'NoneType' object is not callable")):
        coroutine.throw(Boom())
    with pytest.raises(RuntimeError, match=exactly(REUSE)):
        coroutine.send(None)


@pytest.mark.parametrize("thrown", [GeneratorExit, GeneratorExit("g"), SubExit, SubExit("s")], ids=repr)
def test_5_23_generator_exit_closes_what_is_awaited(language: Any, thrown: Any) -> None:
    awaited = Recorder(1)
    coroutine = language.script([do_await(awaited, GeneratorExit, [GIVE])])
    coroutine.send(None)
    kind, delivered = outcome(coroutine.throw, thrown)
    assert kind == "returned"
    assert delivered is thrown or type(delivered) is thrown
    assert awaited.calls == [("next",), ("close",)]
    coroutine = language.script([do_await(Iterator(1), GeneratorExit, [do_return("no close")])])
    coroutine.send(None)
    assert outcome(coroutine.throw, thrown) == ("returned", "no close")


def test_5_23_an_error_of_close_replaces_it(language: Any) -> None:
    error = Boom()

    def fail() -> object:
        raise error

    awaited = Recorder(1)
    awaited.on_close = fail
    coroutine = language.script([do_await(awaited, BaseException, [GIVE])])
    coroutine.send(None)
    assert outcome(coroutine.throw, GeneratorExit) == ("returned", error)


@pytest.mark.parametrize("through", ["throw", "close"])
def test_5_24_the_outer_runs_during_a_delegated_throw_or_close(language: Any, through: str) -> None:
    found: list[Any] = []

    def look(*_: object) -> object:
        found.append(comparable(outcome(coroutine.send, None)))
        if language is raw_protocol or VERSION >= (3, 13):  # unbounded recursion in CPython before 3.13
            found.append(comparable(outcome(coroutine.throw, Boom())))
        raise StopIteration

    awaited = Recorder(1)
    awaited.on_throw = look
    awaited.on_close = lambda: outcome(look) and None
    coroutine = language.pass_through(awaited)
    coroutine.send(None)
    outcome(coroutine.throw, Boom() if through == "throw" else GeneratorExit())
    assert set(found) == {("raised", (ValueError, EXECUTING))}


# ---- 6: close ------------------------------------------------------------------------------------


def test_6_1_before_the_start(language: Any) -> None:
    log: list[str] = []
    coroutine = language.script([do_log(log, "ran")])
    assert coroutine.close() is None
    with pytest.raises(RuntimeError, match=exactly(REUSE)):
        coroutine.send(None)
    assert log == []


def test_6_2_silent_if_generator_exit_or_a_return_comes_out(language: Any) -> None:
    for handler in ([RERAISE], [do_raise(GeneratorExit("new"))], [do_raise(SubExit())], []):
        coroutine = language.script([do_yield(1, GeneratorExit, handler)])
        coroutine.send(None)
        assert coroutine.close() is None
        with pytest.raises(RuntimeError, match=exactly(REUSE)):
            coroutine.send(None)


@pytest.mark.parametrize("result", [1, (1, 2), ValueError("v"), StopIteration(2)], ids=repr)
def test_6_3_the_value_that_close_returns(language: Any, result: object) -> None:
    closes: list[Callable[[Any], Any]] = [lambda c: c.close(), lambda c: c.__await__().close()]
    for close in closes:
        coroutine = language.script([do_yield(1, GeneratorExit, [do_return(result)])])
        coroutine.send(None)
        returned = close(coroutine)
        assert returned is (result if VERSION >= (3, 13) else None)


def test_6_4_a_finished_coroutine_can_be_closed_again(language: Any) -> None:
    coroutine = finished(language)
    assert coroutine.close() is None
    assert coroutine.close() is None


def test_6_5_ignoring_it_leaves_the_coroutine_suspended(language: Any) -> None:
    coroutine = language.script([do_yield(1, GeneratorExit, [do_yield(2), do_yield(3)])])
    coroutine.send(None)
    with pytest.raises(RuntimeError, match=exactly(IGNORED)):
        coroutine.close()
    assert coroutine.send(None) == 3
    assert coroutine.close() is None


def test_6_5_by_an_await_too(language: Any) -> None:
    coroutine = language.script([do_yield(1, GeneratorExit, [do_await(Iterator(2, 3)), RERAISE])])
    coroutine.send(None)
    with pytest.raises(RuntimeError, match=exactly(IGNORED)):
        coroutine.close()
    assert coroutine.send(None) == 3
    coroutine.close()


@pytest.mark.parametrize(
    "error", [Boom("b"), KeyboardInterrupt("k"), SystemExit(3), asyncio.CancelledError()], ids=repr
)
def test_6_6_another_error_propagates(language: Any, error: BaseException) -> None:
    coroutine = language.script([do_yield(1, GeneratorExit, [do_raise(error)])])
    coroutine.send(None)
    assert outcome(coroutine.close) == ("raised", error)
    with pytest.raises(RuntimeError, match=exactly(REUSE)):
        coroutine.send(None)


def test_6_7_a_running_coroutine_refuses_it(language: Any) -> None:
    found: list[Any] = []
    coroutine = language.script([do_call(lambda _: found.append(comparable(outcome(coroutine.close))))])
    finish(coroutine)
    assert found == [("raised", (ValueError, EXECUTING))]


def test_6_8_arity(language: Any) -> None:
    coroutine = language.value(1)
    with pytest.raises(TypeError, match=exactly("coroutine.close() takes no arguments (1 given)")):
        coroutine.close(1)
    coroutine.close()


def test_6_9_what_is_awaited_is_closed_first_and_its_value_dropped(language: Any, awaiter: Any) -> None:
    log: list[str] = []
    inner = language.script([do_yield(1, GeneratorExit, [do_log(log, "inner"), do_return("dropped")])])
    outer = awaiter.script([do_await(inner, GeneratorExit, [do_log(log, "outer"), RERAISE])])
    outer.send(None)
    assert outer.close() is None
    assert log == ["inner", "outer"]


def test_6_9_without_close_it_is_skipped(language: Any) -> None:
    coroutine = language.pass_through(Iterator(1))
    coroutine.send(None)
    assert coroutine.close() is None


@pytest.mark.parametrize("error", [Boom("b"), KeyboardInterrupt("k")], ids=repr)
def test_6_9_an_error_of_the_inner_close(language: Any, error: BaseException) -> None:
    def fail() -> object:
        raise error

    awaited = Recorder(1)
    awaited.on_close = fail
    coroutine = language.script([do_await(awaited, BaseException, [do_call(lambda e: found.append(e)), do_return(1)])])
    found: list[BaseException] = []
    coroutine.send(None)
    coroutine.close()
    assert found == [error]
    awaited.items = [1]
    coroutine = language.pass_through(awaited)
    coroutine.send(None)
    assert outcome(coroutine.close) == ("raised", error)


def test_6_9_an_inner_that_exits_is_normal(language: Any) -> None:
    def leave() -> object:
        raise GeneratorExit("of the inner")

    awaited = Recorder(1)
    awaited.on_close = leave
    coroutine = language.pass_through(awaited)
    coroutine.send(None)
    assert coroutine.close() is None


def test_6_9_an_inner_that_ignores_it(language: Any, awaiter: Any) -> None:
    inner = language.script([do_yield(1, GeneratorExit, [do_yield(2)])])
    outer = awaiter.script([do_await(inner, RuntimeError, [GIVE])])
    outer.send(None)
    kind, error = outcome(outer.throw, GeneratorExit)
    assert (kind, str(error)) == ("returned", IGNORED)
    assert outcome(inner.send, None) == ("returned", None)


def test_6_11_an_error_of_the_lookup_is_unraisable(language: Any, unraisable: list[Any]) -> None:
    coroutine = language.pass_through(OddLookup(1))
    coroutine.send(None)
    assert coroutine.close() is None
    assert [comparable(("raised", error)) for error, _ in unraisable] == [("raised", (OSError, "close"))]


def test_6_11_close_that_is_none(language: Any) -> None:
    class Odd(Iterator):
        close = None

    coroutine = language.pass_through(Odd(1))
    coroutine.send(None)
    with pytest.raises(TypeError, match=exactly("'NoneType' object is not callable")):
        coroutine.close()


def test_6_12_the_outer_cannot_be_closed_from_the_inner_close(language: Any) -> None:
    if language is native and VERSION < (3, 13):
        pytest.skip("unbounded recursion in CPython before 3.13")
    found: list[Any] = []
    awaited = Recorder(1)
    coroutine = language.pass_through(awaited)
    awaited.on_close = lambda: found.append(comparable(outcome(coroutine.close)))
    coroutine.send(None)
    coroutine.close()
    assert found == [("raised", (ValueError, EXECUTING))]


def test_6_13_every_level_sees_it_innermost_first(language: Any, awaiter: Any) -> None:
    log: list[Any] = []
    coroutine = language.script([do_yield(1, BaseException, [do_note(log), RERAISE])])
    for i in range(6):
        level = (awaiter, language)[i % 2]
        steps = [do_await(coroutine, BaseException, [do_note(log), do_log(log, i), RERAISE])]
        coroutine = level.script(steps)
    coroutine.send(None)
    coroutine.close()
    assert [type(entry) if isinstance(entry, BaseException) else entry for entry in log] == [
        GeneratorExit,
        *(entry for i in range(6) for entry in (GeneratorExit, i)),
    ]


def test_6_15_locals_are_released_at_once(language: Any) -> None:
    argument = Boom("argument")
    before = sys.getrefcount(argument)
    for end in ("close", "return", "raise", "unstarted"):
        coroutine = language.script([do_yield(argument), do_raise(KeyError()) if end == "raise" else GIVE])
        if end != "unstarted":
            coroutine.send(None)
        elif language is native and VERSION in ((3, 12), (3, 13)):
            coroutine.close()
            continue  # CPython keeps the arguments there
        if end in ("return", "raise"):
            outcome(coroutine.send, None)
            collect()  # the traceback of a native one refers to its frame
        else:
            coroutine.close()
        assert sys.getrefcount(argument) == before, end


# ---- 7: await ------------------------------------------------------------------------------------


def cannot_await(name: str) -> str:
    if VERSION >= (3, 14):
        return f"'{name}' object can't be awaited"
    return f"object {name} can't be used in 'await' expression"


def test_7_1_what_is_awaitable(language: Any) -> None:
    @types.coroutine
    def based_on_a_generator() -> Generator[int, None, str]:
        yield 1
        return "generator"

    assert finish(language.pass_through(native.value("coroutine"))) == "coroutine"
    assert finish(language.pass_through(raw_protocol.value("coroutine"))) == "coroutine"
    assert finish(language.pass_through(based_on_a_generator())) == "generator"
    assert finish(language.pass_through(Iterator(1, 2, result="object"))) == "object"
    odd = Boom()
    odd.__await__ = lambda: iter([])  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=exactly(cannot_await("Boom"))):
        language.pass_through(odd).send(None)


async def async_generator() -> Any:
    yield 1


def plain_generator() -> Generator[int, None, None]:
    yield 1


@pytest.mark.parametrize(
    "wrong",
    [1, None, int, "text", async_generator(), plain_generator(), plain_generator, [1]],
    ids=lambda w: str(type(w)),
)
def test_7_2_what_is_not(language: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match=exactly(cannot_await(type(wrong).__name__))):
        language.pass_through(wrong).send(None)


def test_7_2_the_error_is_raised_in_the_body(language: Any) -> None:
    assert finish(language.script([do_await(1, TypeError, [do_return("caught")])])) == "caught"


def test_7_3_await_must_return_an_iterator(language: Any) -> None:
    cls = f"{awaitable.__module__}.awaitable.<locals>.Cls"
    wrong = f"{cls}.__await__() must return an iterator, not " if VERSION >= (3, 15) else ""
    text = wrong + "int" if wrong else "__await__() returned non-iterator of type 'int'"
    with pytest.raises(TypeError, match=exactly(text)):
        language.pass_through(awaitable(lambda: 1)).send(None)

    @types.coroutine
    def flagged() -> Generator[int, None, None]:
        yield 1

    inner = native.value(1)
    for given in (inner, flagged()):
        text = wrong + "coroutine" if wrong else "__await__() returned a coroutine"
        with pytest.raises(TypeError, match=exactly(text)):
            language.pass_through(awaitable(iter([given]).__next__)).send(None)
    inner.close()
    for give in (native.value, raw_protocol.value):
        assert finish(language.pass_through(awaitable(give("w").__await__))) == "w"


def test_7_4_await_that_raises_or_is_none(language: Any) -> None:
    error = Boom()

    def fail() -> Any:
        raise error

    assert outcome(language.pass_through(awaitable(fail)).send, None) == ("raised", error)

    class Odd:
        __await__ = None

    with pytest.raises(TypeError, match=exactly("'NoneType' object is not callable")):
        language.pass_through(Odd()).send(None)


def test_7_5_async_with_and_for(language: Any) -> None:
    class Manager:
        def __aenter__(self) -> Any:
            return language.value("entered")

        def __aexit__(self, *_: object) -> Any:
            return language.value(True)

        def __aiter__(self) -> Any:
            self.left = [1, 2]
            return self

        def __anext__(self) -> Any:
            if not self.left:
                return language.script([do_raise(StopAsyncIteration())])
            return language.value(self.left.pop(0))

    async def main() -> Any:
        seen = []
        async with Manager() as entered:
            seen.append(entered)
            raise Boom("suppressed")
        async for item in Manager():
            seen.append(item)
        return seen

    assert finish(main()) == ["entered", 1, 2]


def test_7_6_a_finished_coroutine_cannot_be_awaited(language: Any, awaiter: Any) -> None:
    closed = language.value(1)
    closed.close()
    for coroutine in (finished(language), closed):
        with pytest.raises(RuntimeError, match=exactly(REUSE)):
            awaiter.pass_through(coroutine).send(None)


def test_7_7_7_10_a_suspended_coroutine_cannot_be_awaited(language: Any, awaiter: Any) -> None:
    if language is native:
        inner: Any = language.pass_through(Iterator(1, 2))
        assert inner.send(None) == 1
    else:
        inner = suspended(language)
    with pytest.raises(RuntimeError, match=exactly(AWAITED)):
        awaiter.pass_through(inner).send(None)
    assert inner.send(None) == 2
    inner.close()


def test_7_7_nor_one_that_another_awaits(language: Any, awaiter: Any) -> None:
    inner = language.pass_through(Iterator(1, 2, result="end"))
    first, second = awaiter.pass_through(inner), awaiter.pass_through(inner)
    assert first.send(None) == 1
    with pytest.raises(RuntimeError, match=exactly(AWAITED)):
        second.send(None)
    assert first.send(None) == 2
    assert outcome(first.send, None) == ("returned", "end")


def test_7_8_a_running_coroutine_cannot_be_awaited(language: Any, awaiter: Any) -> None:
    with pytest.raises(ValueError, match=exactly(EXECUTING)):
        holder: list[Any] = []
        holder.append(language.pass_through(awaitable(lambda: holder[0].__await__())))
        holder[0].send(None)

    class Mutual:
        def __await__(self) -> Any:
            return (yield from awaiter.pass_through(one).__await__())

    one = language.pass_through(Mutual())
    with pytest.raises(ValueError, match=exactly(EXECUTING)):
        one.send(None)


def test_7_9_7_10_a_wrapper_continues_a_started_coroutine(language: Any, awaiter: Any) -> None:
    inner = language.yields([1, 2, 3, 4])
    assert inner.send(None) == 1
    outer = awaiter.pass_through(awaitable(inner.__await__))
    assert outer.send(None) == 2
    assert outer.send("a") == 3
    wrappers = inner.__await__(), inner.__await__()
    assert next(wrappers[0]) == 4
    assert outcome(wrappers[1].send, "z") == ("returned", [None, "a", None, "z"])
    assert comparable(outcome(outer.send, None)) == ("raised", (RuntimeError, REUSE))


def test_7_9_closing_behind_the_awaiters_back(language: Any, awaiter: Any) -> None:
    inner = language.yields([1, 2])
    outer = awaiter.pass_through(inner)
    outer.send(None)
    inner.close()
    with pytest.raises(RuntimeError, match=exactly(REUSE)):
        outer.send(None)


def test_7_11_7_13_not_iterable(language: Any) -> None:
    coroutine = suspended(language)
    cases: list[tuple[Callable[[], Any], str]] = [
        (lambda: iter(coroutine), "'coroutine' object is not iterable"),
        (lambda: list(coroutine), "'coroutine' object is not iterable"),
        (lambda: tuple(coroutine), "'coroutine' object is not iterable"),
        (lambda: sum(coroutine), "'coroutine' object is not iterable"),
        (lambda: dict(coroutine), "'coroutine' object is not iterable"),
        (lambda: list(enumerate(coroutine)), "'coroutine' object is not iterable"),
        (lambda: [*coroutine], "Value after * must be an iterable, not coroutine"),
        (lambda: coroutine(), "'coroutine' object is not callable"),
        (lambda: 1 in coroutine, "argument of type 'coroutine' is not "),
    ]
    for call, text in cases:
        with pytest.raises(TypeError) as caught:
            call()
        assert str(caught.value).startswith(text)
    with pytest.raises(TypeError, match=exactly("cannot unpack non-iterable coroutine object")):
        _a, _b = coroutine
    with pytest.raises(TypeError, match=exactly("'async for' requires an object with __aiter__ method, got coroutine")):
        finish(loop_over(coroutine))
    coroutine.close()


async def loop_over(coroutine: Any) -> None:
    async for _ in coroutine:
        pass


# ---- 9: the object that __await__ returns --------------------------------------------------------


def test_9_1_a_new_wrapper_each_time(language: Any) -> None:
    for coroutine in (language.value(1), suspended(language), finished(language)):
        one, other = coroutine.__await__(), coroutine.__await__()
        assert one is not other
        assert type(one).__name__ == "coroutine_wrapper"
        assert type(one).__doc__ == "A wrapper object implementing __await__ for coroutines."
        coroutine.close()


def test_9_2_what_it_has_and_has_not(language: Any) -> None:
    coroutine = language.value(1)
    wrapper = coroutine.__await__()
    assert iter(wrapper) is wrapper
    for name in ("__next__", "send", "throw", "close"):
        assert hasattr(wrapper, name)
    assert not hasattr(wrapper, "__await__")
    with pytest.raises(TypeError, match=exactly("cannot create weak reference to 'coroutine_wrapper' object")):
        weakref.ref(wrapper)
    with pytest.raises(TypeError, match=exactly("cannot create 'coroutine_wrapper' instances")):
        type(wrapper)()
    assert isinstance(wrapper, collections.abc.Iterator)
    assert isinstance(wrapper, Generator)
    assert not isinstance(wrapper, Awaitable)
    assert not isinstance(wrapper, Coroutine)
    alive = weakref.ref(coroutine)
    coroutine.close()
    del coroutine
    assert alive() is not None
    del wrapper
    assert alive() is None


def test_9_3_operations_forward(language: Any) -> None:
    coroutine = language.yields([1, 2])
    wrapper = coroutine.__await__()
    assert comparable(outcome(wrapper.send, 1)) == ("raised", (TypeError, UNSTARTED))
    assert next(wrapper) == 1
    assert wrapper.send(None) == 2
    assert comparable(outcome(wrapper.throw, 1))[1][0] is TypeError
    error = Boom()
    assert outcome(wrapper.throw, error) == ("raised", error)
    for call in (
        lambda: next(wrapper),
        lambda: wrapper.send(None),
        lambda: wrapper.send(1),
        lambda: wrapper.throw(error),
    ):
        assert comparable(outcome(call)) == ("raised", (RuntimeError, REUSE))
    assert wrapper.close() is None
    with pytest.raises(TypeError, match=exactly("coroutine_wrapper.send() takes exactly one argument (0 given)")):
        wrapper.send()
    if VERSION >= (3, 12):
        with pytest.warns(DeprecationWarning, match="the single-arg signature"), pytest.raises(RuntimeError):
            wrapper.throw(Boom, "v")


def test_9_4_dropping_it_with_its_coroutine_warns(language: Any) -> None:
    wrapper = language.value(1).__await__()
    with pytest.warns(RuntimeWarning, match="coroutine 'value' was never awaited"):
        del wrapper


def test_9_5_a_list_of_it_has_the_yields(language: Any) -> None:
    assert list(language.yields([1, None, (2, 3)]).__await__()) == [1, None, (2, 3)]


# ---- 10: copies and pickles ----------------------------------------------------------------------


def test_10_1_10_2_neither_copied_nor_pickled(language: Any) -> None:
    coroutine = suspended(language)
    for thing, name in ((coroutine, "coroutine"), (coroutine.__await__(), "coroutine_wrapper")):
        text = exactly(f"cannot pickle '{name}' object")
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match=text):
                pickle.dumps(thing, protocol)
            with pytest.raises(TypeError, match=text):
                thing.__reduce_ex__(protocol)
        calls: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, lambda t: t.__reduce__()]
        for call in calls:
            with pytest.raises(TypeError, match=text):
                call(thing)
        with pytest.raises(ValueError, match="unmarshallable object"):
            marshal.dumps(thing)
        assert thing.__getstate__() is None
    coroutine.close()


def test_10_3_weak_references_and_finalizers(language: Any) -> None:
    log: list[str] = []
    coroutine = suspended(language)
    reference = weakref.ref(coroutine, lambda _: log.append("callback"))
    weakref.finalize(coroutine, log.append, "finalize")
    assert reference() is coroutine
    del coroutine
    assert reference() is None
    assert sorted(log) == ["callback", "finalize"]


# ---- 11: never awaited ---------------------------------------------------------------------------


def warned(make: Callable[[], Any]) -> list[Any]:
    """The warnings that are shown when what `make` returns dies."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        made = make()
        del made
        collect()
    return shown


def test_11_1_a_coroutine_that_dies_unstarted_warns(language: Any) -> None:
    sources: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # The source is the coroutine itself, which lives as long as the warning.
        show: Any = lambda message, *_, source=None: sources.append((message, source))  # noqa: E731
        warnings._showwarnmsg_impl, before = (  # type: ignore[attr-defined]
            lambda m: show(m.message, source=m.source),
            warnings._showwarnmsg_impl,  # type: ignore[attr-defined]
        )
        try:
            identity = id(language.value(1))
        finally:
            warnings._showwarnmsg_impl = before  # type: ignore[attr-defined]
    ((message, source),) = sources
    assert type(message) is RuntimeWarning
    assert str(message) == "coroutine 'value' was never awaited"
    assert id(source) == identity
    sources.clear()


def test_11_1_with_its_current_qualified_name(language: Any) -> None:
    def make() -> Any:
        coroutine = language.value(1)
        coroutine.__qualname__ = "Class.method"
        return coroutine

    assert [str(w.message) for w in warned(make)] == ["coroutine 'Class.method' was never awaited"]


def test_11_2_whatever_reached_it_silences_it(language: Any) -> None:
    def closed() -> Any:
        coroutine = language.value(1)
        coroutine.close()
        return coroutine

    def thrown() -> Any:
        coroutine = language.value(1)
        outcome(coroutine.throw, Boom())
        return coroutine

    for make in (closed, thrown, lambda: suspended(language), lambda: finished(language)):
        assert warned(make) == []


def test_11_3_the_garbage_collector_warns_too(language: Any) -> None:
    class Cycle:
        pass

    def make() -> Any:
        cycle = Cycle()
        cycle.me = cycle  # type: ignore[attr-defined]
        cycle.coroutine = language.value(1)  # type: ignore[attr-defined]

    assert [str(w.message) for w in warned(make)] == ["coroutine 'value' was never awaited"]


def test_11_4_a_failed_start_does_not_count(language: Any) -> None:
    def make() -> Any:
        coroutine = language.value(1)
        outcome(coroutine.send, 1)
        outcome(coroutine.throw, 1)
        return coroutine

    assert len(warned(make)) == 1


def test_11_5_the_origin(language: Any) -> None:
    def helper() -> Any:
        return language.value(1)

    assert language is not None
    before = sys.get_coroutine_origin_tracking_depth()
    try:
        sys.set_coroutine_origin_tracking_depth(2)
        coroutine = helper()
        line = helper.__code__.co_firstlineno
        (file1, line1, name1), (file2, _, name2) = coroutine.cr_origin
        assert (file1, line1, name1) == (__file__, line + 1, "helper")
        assert (file2, name2) == (__file__, "test_11_5_the_origin")
        coroutine.close()
        sys.set_coroutine_origin_tracking_depth(1)
        shown = warned(helper)
        assert str(shown[0].message) == (
            "coroutine 'value' was never awaited\nCoroutine created at (most recent call last)\n"
            f'  File "{__file__}", line {line + 1}, in helper\n    return language.value(1)'
        )
        sys.set_coroutine_origin_tracking_depth(1000)
        origins = []
        for module in (native, raw_protocol):
            deep = module.value(1)
            origins.append(deep.cr_origin)
            deep.close()
        assert origins[0] == origins[1]
    finally:
        sys.set_coroutine_origin_tracking_depth(before)
    coroutine = helper()
    assert coroutine.cr_origin is None
    coroutine.close()


def test_11_6_the_warning_as_an_error_is_unraisable(language: Any, unraisable: list[Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coroutine = language.value(1)
        identity = id(coroutine)
        del coroutine
    ((error, about),) = unraisable
    assert type(error) is RuntimeWarning
    assert str(error) == "coroutine 'value' was never awaited"
    assert id(about) == identity or VERSION >= (3, 14)


def test_11_7_without_the_hook_the_plain_warning(language: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(warnings, "_warn_unawaited_coroutine")
    shown = warned(lambda: language.value(1))
    assert [(w.category, str(w.message)) for w in shown] == [(RuntimeWarning, "coroutine 'value' was never awaited")]


def test_11_7_11_8_a_hook_that_raises(language: Any, monkeypatch: pytest.MonkeyPatch, unraisable: list[Any]) -> None:
    error = Boom("hook")

    def hook(_: object) -> None:
        raise error

    monkeypatch.setattr(warnings, "_warn_unawaited_coroutine", hook)
    shown = warned(lambda: language.value(1))
    assert [str(w.message) for w in shown] == ["coroutine 'value' was never awaited"]
    assert [e for e, _ in unraisable] == [error]


# ---- 12: finalization ----------------------------------------------------------------------------


def test_12_1_dying_suspended_closes_it(language: Any, awaiter: Any) -> None:
    log: list[Any] = []
    inner = language.script([do_yield(1, BaseException, [do_note(log), do_log(log, "inner"), RERAISE])])
    outer = awaiter.script([do_await(inner, GeneratorExit, [do_log(log, "outer"), RERAISE])])
    outer.send(None)
    del inner
    del outer
    assert type(log[0]) is GeneratorExit
    assert log[1:] == ["inner", "outer"]


def test_12_2_weak_references_die_before_the_cleanup_runs(language: Any) -> None:
    log: list[Any] = []
    look = do_call(lambda _: log.append(reference()))
    coroutine = language.script([do_yield(1, GeneratorExit, [look])])
    coroutine.send(None)
    reference = weakref.ref(coroutine, lambda _: log.append("callback"))
    del coroutine
    assert log == ["callback", None]


def test_12_3_errors_are_unraisable(language: Any, unraisable: list[Any]) -> None:
    endings: list[tuple[list[Any], Any]] = [
        ([do_raise(Boom("b"))], (Boom, "b")),
        ([do_raise(KeyboardInterrupt("k"))], (KeyboardInterrupt, "k")),
        ([do_yield(2)], (RuntimeError, IGNORED)),
    ]
    for handler, expected in endings:
        coroutine = language.script([do_yield(1, GeneratorExit, handler)])
        coroutine.send(None)
        identity = id(coroutine)
        del coroutine
        ((error, about),) = unraisable
        assert (type(error), str(error)) == expected
        assert id(about) == identity or VERSION >= (3, 14)
        unraisable.clear()


def test_12_4_the_current_exception_is_preserved(language: Any) -> None:
    def dying() -> Any:
        coroutine = language.script([do_yield(1, GeneratorExit, [do_call(lambda _: outcome(fail))])])
        coroutine.send(None)
        return coroutine

    def fail() -> None:
        raise Boom

    # The argument dies while remove()'s error is on its way.
    with pytest.raises(ValueError, match="not in list"):
        [].remove(dying())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="not in list"):
            [].remove(language.value(1))


def test_12_5_a_cycle_through_what_is_awaited(language: Any) -> None:
    log: list[str] = []
    awaited = Recorder(1)
    awaited.on_close = lambda: log.append("closed")
    coroutine = language.guarded(awaited, log)
    coroutine.send(None)
    awaited.coroutine = coroutine  # type: ignore[attr-defined]
    reference = weakref.ref(coroutine)
    del awaited, coroutine
    assert log == []
    collect()
    assert log == ["closed", *GUARDS]
    assert reference() is None


def test_12_5_resurrection_leaves_a_closed_coroutine(language: Any) -> None:
    saved: list[Any] = []

    class Holder(Recorder):
        coroutine: Any = None

        def close(self) -> object:
            saved.append(self.coroutine)
            return None

    holder = Holder(1)
    holder.coroutine = language.pass_through(holder)
    holder.coroutine.send(None)
    del holder
    collect()
    (coroutine,) = saved
    with pytest.raises(RuntimeError, match=exactly(REUSE)):
        coroutine.send(None)
    assert coroutine.close() is None
    saved.clear()


def test_12_6_del_closes(language: Any) -> None:
    log: list[str] = []
    coroutine = language.guarded(Iterator(1), log)
    coroutine.send(None)
    coroutine.__del__()
    assert log == GUARDS
    with pytest.raises(RuntimeError, match=exactly(REUSE)):
        coroutine.send(None)


def test_12_7_a_pending_task_that_dies(language: Any) -> None:
    log: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: log.append(context["message"]))
        future = loop.create_future()
        task = loop.create_task(language.guarded(future, log))
        await asyncio.sleep(0)
        del task, future
        collect()

    run(main())
    # Which of the two comes first is the collector's choice.
    assert sorted(log) == ["Task was destroyed but it is pending!", *GUARDS]


# ---- 13: contexts, threads, recursion ------------------------------------------------------------


def test_13_1_each_step_runs_in_the_drivers_context(language: Any, awaiter: Any) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []

    def look(_: object) -> None:
        seen.append(variable.get())
        variable.set(f"set after {seen[-1]}")

    inner = language.script([do_call(look), do_yield(1), do_call(look), do_yield(2), do_call(look)])
    coroutine = awaiter.pass_through(inner)
    first, second = contextvars.copy_context(), contextvars.copy_context()
    second.run(variable.set, "second")
    first.run(coroutine.send, None)
    second.run(coroutine.send, None)
    first.run(finish, coroutine)
    assert seen == ["none", "second", "set after none"]
    assert variable.get() == "none"
    assert second[variable] == "set after second"


def test_13_1_a_context_is_never_copied(language: Any, awaiter: Any) -> None:
    """Through all levels: what one sets, the others see, and each step sees the context that it is run in."""
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)
    seen: list[int] = []

    def count(_: object) -> None:
        variable.set(variable.get() + 1)
        seen.append(variable.get())

    level: Any = language.script(
        [do_call(count), do_yield(1), do_call(count), do_yield(2, BaseException, [do_call(count)])]
    )
    for i in range(4):
        module = (awaiter, language)[i % 2]
        level = module.script([do_call(count), do_await(module.deep(3, level)), do_call(count)])
    contexts = [contextvars.copy_context() for _ in range(3)]
    assert contexts[0].run(level.send, None) == 1
    assert contexts[1].run(level.send, None) == 2
    assert outcome(contexts[2].run, level.throw, Boom()) == ("returned", None)
    assert seen == [1, 2, 3, 4, 5, 1, 1, 2, 3, 4, 5]
    assert [context[variable] for context in contexts] == [5, 1, 5]
    assert variable.get() == 0


def test_13_2_resumed_from_different_threads(language: Any) -> None:
    steps = 20
    coroutine = language.pass_through(native.yields(list(range(steps))))
    seen: list[Any] = []

    def step() -> None:
        seen.append(outcome(coroutine.send, None))

    for _ in range(steps + 1):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    assert seen == [*(("yielded", i) for i in range(steps)), ("returned", [None] * steps)]


def test_13_3_two_hundred_levels_work(language: Any, awaiter: Any) -> None:
    coroutine = tower(200, Recorder(1, 2, result="end"), language, awaiter)
    assert coroutine.send(None) == 1
    assert coroutine.send("value") == 2
    assert outcome(coroutine.send, None) == ("returned", "end")
    error = Boom()
    for throw in (lambda c: c.throw(error), lambda c: c.close()):
        awaited = Recorder(1)
        coroutine = tower(200, awaited, language, awaiter)
        coroutine.send(None)
        assert outcome(throw, coroutine) in (("raised", error), ("yielded", None))
        assert awaited.calls[1:] in ([("throw", error)], [("close",)])


def test_13_3_too_many_levels_raise_recursion_error(language: Any, awaiter: Any) -> None:
    if language is awaiter is raw_protocol:
        pytest.skip("there depth is free, see test_awaited_objects.py")
    if VERSION >= (3, 14) and language is awaiter is native:
        pytest.skip("since 3.14 native coroutines need no stack to await one another")
    # CPython 3.13 lets C code recurse 10,000 times; 3.14 as far as the stack goes.
    levels = 20_000 if VERSION < (3, 14) else 100_000
    with too_deep_a_tower(levels, language, awaiter) as coroutine:
        with pytest.raises(RecursionError, match="maximum recursion depth exceeded|Stack overflow"):
            coroutine.send(None)
        with pytest.raises(RuntimeError, match=exactly(REUSE)):
            coroutine.send(None)


def test_13_3_within_one_language_depth_is_free_in_cpp() -> None:
    coroutine = raw_protocol.deep(100_000, Recorder(1, result="end"))
    assert coroutine.send(None) == 1
    assert outcome(coroutine.send, None) == ("returned", "end")


def test_13_3_the_chain_crosses_the_types(language: Any) -> None:
    levels = 1000 if language is raw_protocol else 100
    coroutine = language.deep_plain(levels, 3)
    assert [coroutine.send(None) for _ in range(3)] == [None] * 3
    assert outcome(coroutine.send, None) == ("returned", levels)


def test_13_4_tracing_changes_nothing(language: Any) -> None:
    def main() -> Any:
        coroutine = native.pass_through(language.pass_through(native.yields([1, 2])))
        return [coroutine.send(None), coroutine.send("a"), outcome(coroutine.send, "b")]

    plain = main()
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        traced = main()
    finally:
        sys.settrace(before)
    assert plain == traced == [1, 2, ("returned", ["a", "b"])]


# ---- 14 to 22: what other code makes of it -------------------------------------------------------


def test_14_6_next_works_without_an_attribute() -> None:
    """`await` resumes the object itself, so that it is an iterator to the C API, if not to Python."""
    coroutine = raw_protocol.yields([1])
    assert next(coroutine) == 1
    assert not hasattr(coroutine, "__next__")
    coroutine.close()


def test_15_4_types_coroutine_returns_it_as_it_is(language: Any) -> None:
    coroutine = language.value(1)
    make: Callable[[], Any] = types.coroutine(lambda: coroutine)
    assert make() is coroutine
    assert finish(coroutine) == 1


def test_16_2_17_3_17_9_18_1_what_it_is_taken_for(language: Any) -> None:
    coroutine = language.value(1)
    assert isinstance(coroutine, Coroutine)
    assert isinstance(coroutine, Awaitable)
    assert inspect.isawaitable(coroutine)
    assert asyncio.iscoroutine(coroutine)
    wrapper = coroutine.__await__()
    assert not isinstance(wrapper, Awaitable)
    assert not inspect.isawaitable(wrapper)
    assert not asyncio.iscoroutine(wrapper)
    coroutine.close()


def test_18_10_debug_mode_refuses_it_as_a_callback(language: Any) -> None:
    async def main() -> None:
        running = asyncio.get_running_loop()
        running.set_debug(True)
        coroutine = language.value(1)
        with pytest.raises(TypeError, match=r"coroutines cannot be used with call_soon\(\)"):
            running.call_soon(coroutine)
        coroutine.close()

    run(main())


class Manager:
    """An asynchronous context manager and iterator, whose methods are of one language."""

    def __init__(self, language: Any) -> None:
        self.language = language
        self.items = [1, 2]

    def __aenter__(self) -> Any:
        return self.language.value("entered")

    def __aexit__(self, *_: object) -> Any:
        return self.language.value(True)

    def __aiter__(self) -> "Manager":
        return self

    def __anext__(self) -> Any:
        if self.items:
            return self.language.value(self.items.pop(0))
        return self.language.script([do_raise(StopAsyncIteration())])


def test_19_9_the_standard_librarys_protocols(language: Any) -> None:
    log: list[object] = []

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            assert await stack.enter_async_context(Manager(language)) == "entered"
            stack.push_async_callback(language.script, [do_log(log, "callback")])
            raise Boom("suppressed")
        manager = Manager(language)
        assert [item async for item in manager] == [1, 2]
        assert await anext(manager, "default") == "default"
        mock = unittest.mock.AsyncMock(side_effect=[language.value(1)])
        assert await (await mock()) == 1

    run(main())
    assert log == ["callback"]


def test_19_9_asynchronous_test_cases(language: Any) -> None:
    class Case(unittest.IsolatedAsyncioTestCase):
        async def test(self) -> None:
            async with Manager(language) as entered:
                assert entered == "entered"
            assert await language.pass_through(asyncio.sleep(0, 1)) == 1

    result = unittest.TestResult()
    Case("test").run(result)
    assert result.testsRun == 1
    assert result.wasSuccessful(), result


def test_22_1_within_an_asynchronous_generator(language: Any) -> None:
    seen: list[Any] = []

    async def generate() -> Any:
        yield await language.pass_through(Iterator("within", result=1))
        yield 2

    async def main() -> Any:
        return [item async for item in generate()]

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=seen.append)
    try:
        coroutine = main()
        assert coroutine.send(None) == "within"
        assert outcome(coroutine.send, None) == ("returned", [1, 2])
    finally:
        sys.set_asyncgen_hooks(*before)
    assert len(seen) == 1


def test_22_3_single_dispatch(language: Any) -> None:
    @functools.singledispatch
    def kind(_: object) -> str:
        return "object"

    kind.register(Awaitable, lambda _: "awaitable")
    kind.register(Coroutine, lambda _: "coroutine")
    coroutine = language.value(1)
    assert kind(coroutine) == "coroutine"
    coroutine.close()


def test_references_between_cpp_coroutines_are_legal(language: Any) -> None:
    assert finish(language.by_reference(native.value("text"))) == "got text"
