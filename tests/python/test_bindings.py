"""What nanobind.hpp and pybind11.hpp both promise: nb_bindings.cpp and pb_bindings.cpp are twins."""

import asyncio
import collections.abc
import gc
import inspect
import itertools
import weakref
from collections.abc import Callable, Generator
from typing import Any

import native
import nb_bindings
import pb_bindings
import pytest
import raw_protocol
from support import Boom, Iterator, Recorder, collect, finish, functions_in, outcome

REFUSED = "takes a parameter by reference, pointer or view cannot become a Python object"


@pytest.fixture(params=[nb_bindings, pb_bindings], ids=["nanobind", "pybind11"])
def bindings(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def nothing_leaks(bindings: Any) -> Generator[None, None, None]:
    """All C++ objects that a test makes are gone afterwards."""
    collect()
    before = bindings.alive()
    yield
    collect()
    assert bindings.alive() == before


# ---- functions -----------------------------------------------------------------------------------


def test_a_bound_function_returns_a_coroutine(bindings: Any) -> None:
    coroutine = bindings.add(1, 2)
    assert isinstance(coroutine, collections.abc.Coroutine)
    assert inspect.isawaitable(coroutine)
    assert asyncio.run(coroutine) == 3


def test_all_modules_share_one_type(bindings: Any) -> None:
    one, other = bindings.nothing(), raw_protocol.nothing()
    assert type(one) is type(other)
    one.close()
    other.close()


def test_a_chain_across_modules_yields_none(bindings: Any) -> None:
    """The level that suspends is a coroutine that knows no Python, of another module than the one that is driven."""
    chains: list[Callable[[], Any]] = [
        lambda: bindings.await_plain(2),
        lambda: raw_protocol.pass_through(bindings.await_plain(2)),
        lambda: bindings.pass_through(raw_protocol.deep_plain(2, 2)),
        lambda: raw_protocol.await_shared(bindings.share_plain(), 2),
        lambda: bindings.pass_through(raw_protocol.await_shared(bindings.share_plain(), 2)),
    ]
    for make in chains:
        coroutine = make()
        assert [coroutine.send(None) for _ in range(2)] == [None, None]
        assert outcome(coroutine.send, None) == ("returned", 2)
        assert asyncio.run(make()) == 2
        closed = make()
        closed.send(None)
        closed.close()


def test_arguments(bindings: Any) -> None:
    assert finish(bindings.add(1)) == 3
    assert finish(bindings.add(1, b=5)) == 6
    assert finish(bindings.add(b=5, a=1)) == 6
    assert finish(bindings.pair_if(wanted=True)) == (1, "one")
    assert finish(bindings.pair_if()) == (1, "one")
    assert finish(bindings.pair_if(wanted=False)) is None
    assert finish(bindings.greet("world")) == "hello world"
    assert finish(bindings.nothing()) is None
    assert finish(bindings.total([1, 2, 3])) == 6


def test_wrong_arguments_are_refused_by_the_call(bindings: Any) -> None:
    for call in (
        bindings.add,
        lambda: bindings.add("one"),
        lambda: bindings.add(1, 2, 3),
        lambda: bindings.greet(1),
        lambda: bindings.total(["one"]),
        lambda: bindings.Box(1).peek("extra"),
        lambda: bindings.Box.fetch(1),
    ):
        with pytest.raises(TypeError, match="incompatible function arguments"):
            call()


def test_the_arguments_outlive_the_call(bindings: Any) -> None:
    coroutine = bindings.greet("".join(["wo", "r" * 100, "ld"]))
    numbers = list(range(1000))
    other = bindings.total(numbers)
    numbers.clear()
    gc.collect()
    assert finish(coroutine) == "hello wo" + "r" * 100 + "ld"
    assert finish(other) == sum(range(1000))


def test_overloads(bindings: Any) -> None:
    assert finish(bindings.overloaded(1)) == "int"
    assert finish(bindings.overloaded("text")) == "str"


def test_python_objects_as_parameters_and_results(bindings: Any) -> None:
    item = object()
    assert finish(bindings.pass_through(native.value(item))) is item
    assert finish(bindings.pass_through(native.value(None))) is None
    for own in (bindings.pass_own_object, bindings.pass_moved):
        assert finish(own(native.value(item))) is item
        assert finish(own(native.value(None))) is None


@pytest.mark.parametrize("make", ["pass_through", "pass_moved"])
def test_a_cycle_through_what_was_moved_into_await_is_collected(bindings: Any, make: str) -> None:
    awaited = Recorder(1)
    awaited.coroutine = getattr(bindings, make)(awaited)  # type: ignore[attr-defined]
    awaited.coroutine.send(None)  # type: ignore[attr-defined]
    reference = weakref.ref(awaited)
    del awaited
    collect()
    assert reference() is None


def test_the_name_is_that_of_the_cpp_function(bindings: Any) -> None:
    box = bindings.Box(1)
    for coroutine, name in (
        (bindings.add(1), "add"),
        (bindings.pass_own_object(1), "pass_own_object"),
        (box.fetch(), "fetch"),
        (box.peek(), "peek"),
        (box.one(), "one"),
        (box.by_lambda(1), "<lambda>"),
    ):
        assert (coroutine.__name__, coroutine.__qualname__) == (name, name)
        coroutine.close()


def test_results_of_awaiting_are_converted(bindings: Any) -> None:
    assert finish(bindings.await_vector(native.value([1, 2, 3]))) == [1, 2, 3]
    with pytest.raises((TypeError, RuntimeError)):
        finish(bindings.await_vector(native.value("text")))


def test_lambdas(bindings: Any, nothing_leaks: None) -> None:
    assert finish(bindings.plain_lambda(21)) == 42
    assert finish(bindings.std_function(14)) == 42


def test_the_captures_of_a_lambda_outlive_it(bindings: Any, nothing_leaks: None) -> None:
    before = bindings.alive()
    adder = bindings.make_adder(40)
    assert bindings.alive() == before + 1
    one, other = adder(Iterator(1, result=2)), adder(native.value(3))
    assert one.send(None) == 1
    del adder
    collect()
    assert bindings.alive() == before + 1
    assert finish(one) == 42
    assert bindings.alive() == before + 1
    assert finish(other) == 43
    assert bindings.alive() == before
    del one, other


def test_unstarted_and_suspended_ones_release_the_captures(bindings: Any, nothing_leaks: None) -> None:
    adder = bindings.make_adder(1)
    suspended, unstarted = adder(Iterator(1)), adder(1)
    suspended.send(None)
    del suspended
    unstarted.close()


@pytest.mark.parametrize("how", ["hidden_reference", "hidden_unless_started"])
def test_a_hidden_reference_is_refused_when_it_becomes_an_object(bindings: Any, how: str) -> None:
    arguments = ("text", True) if how == "hidden_unless_started" else ("text",)
    with pytest.raises(TypeError, match=REFUSED):
        getattr(bindings, how)(*arguments)


def test_references_between_cpp_coroutines_are_legal(bindings: Any) -> None:
    assert finish(bindings.by_reference_inside("text")) == "text"
    assert finish(bindings.hidden_unless_started("text", False)) == "hello text"


# ---- generators ----------------------------------------------------------------------------------


def test_generators(bindings: Any) -> None:
    assert list(bindings.count(3)) == [0, 1, 2]
    joined = bindings.join()
    assert isinstance(joined, collections.abc.Generator)
    assert [next(joined), joined.send([1, 2]), joined.send((3,))] == ["start", "12", "3"]
    with pytest.raises((TypeError, RuntimeError)):
        joined.send(["text"])
    assert outcome(joined.send, []) == ("returned", 3)
    assert finish(bindings.pass_through(bindings.count_as_coroutine(2))) is None


def test_the_signature_of_a_generator(bindings: Any) -> None:
    for function, types in ((bindings.count, "int, None, None"), (bindings.count_as_coroutine, "int, None, None")):
        assert f"-> collections.abc.Generator[{types}]" in function.__doc__
    assert "-> collections.abc.Generator[str, list[int], int]" in bindings.join.__doc__


def test_what_a_generator_needs_lives_as_long(bindings: Any, nothing_leaks: None) -> None:
    before = bindings.alive()
    counting = bindings.make_counter(40)(2)
    kept = bindings.Box(7).references(2)
    collect()
    assert bindings.alive() == before + 3  # the captures, and the box with its item
    assert list(counting) == [40, 41]
    reference = next(kept)
    assert reference.number == 7
    assert next(kept) is reference
    assert outcome(next, kept) == ("returned", None)
    assert bindings.alive() == before + 2
    del reference, kept
    assert [item.number for item in bindings.Box(8).copies()] == [8]


def test_a_hidden_reference_in_a_generator(bindings: Any) -> None:
    with pytest.raises(TypeError, match=REFUSED):
        bindings.hidden_reference_in_generator("text")


# ---- coroutines of other types -------------------------------------------------------------------


def test_coroutines_that_know_no_python(bindings: Any) -> None:
    coroutine = bindings.plain(2)
    assert coroutine.__name__ == "plain"
    assert isinstance(coroutine, collections.abc.Coroutine)
    assert asyncio.run(coroutine) == 2
    assert asyncio.run(bindings.erased_add(1, 2)) == 3
    for function in (bindings.plain, bindings.erased_add):
        assert "-> collections.abc.Coroutine[typing.Any, typing.Any, int]" in function.__doc__


# ---- classes -------------------------------------------------------------------------------------


def test_methods(bindings: Any, nothing_leaks: None) -> None:
    box = bindings.Box(7)
    assert finish(box.fetch()) == 7
    assert finish(box.peek()) == 107
    assert finish(box.peek(extra=1)) == 8
    assert finish(bindings.Box.one()) == 1
    assert finish(box.one()) == 1
    assert finish(box.by_lambda(3)) == 21
    assert finish(box.by_const_lambda()) == 7
    assert finish(box.by_pointer_lambda()) == 7
    assert finish(box.property) == 7
    assert finish(box.fetch_after(native.nothing())) == 7
    derived = bindings.DerivedBox(8)
    assert finish(derived.fetch()) == 8
    assert finish(derived.own_peek(1)) == 9


METHODS: list[Any] = [
    lambda box: box.fetch(),
    lambda box: box.peek(0),
    lambda box: box.fetch_after(native.nothing()),
    lambda box: box.by_lambda(1),
    lambda box: box.by_const_lambda(),
    lambda box: box.by_pointer_lambda(),
    lambda box: box.by_capturing_lambda(native.nothing()),
    lambda box: box.property,
]


@pytest.mark.parametrize("method", METHODS)
def test_self_lives_as_long_as_its_coroutine(bindings: Any, nothing_leaks: None, method: Any) -> None:
    before = bindings.alive()
    for kind in (bindings.Box, bindings.DerivedBox):
        coroutine = method(kind(7))
        collect()
        assert bindings.alive() > before
        assert finish(coroutine) == 7
        assert bindings.alive() == before  # not longer: the finished coroutine is still there
        assert coroutine.close() is None


def test_self_lives_while_it_is_suspended(bindings: Any, nothing_leaks: None) -> None:
    before = bindings.alive()
    for end, renamed in itertools.product(("finish", "close", "throw", "die"), (False, True)):
        coroutine = bindings.Box(7).fetch_after(Iterator(1))
        if renamed:
            coroutine.__name__ = coroutine.__qualname__ = "other"
        coroutine.send(None)
        assert coroutine.__name__ == ("other" if renamed else "fetch_after")
        collect()
        assert bindings.alive() > before
        if end == "finish":
            assert finish(coroutine) == 7
        elif end == "close":
            coroutine.close()
        elif end == "throw":
            assert outcome(coroutine.throw, Boom())[0] == "raised"
        else:
            del coroutine
        assert bindings.alive() == before, end


def test_self_can_be_a_cycle(bindings: Any, nothing_leaks: None) -> None:
    class Owner(Iterator):
        coroutine: Any = None

    owner = Owner(1)
    owner.coroutine = bindings.Box(1).fetch_after(owner)
    owner.coroutine.send(None)
    reference = weakref.ref(owner)
    del owner
    collect()
    assert reference() is None


def test_results_by_value_and_by_pointer(bindings: Any, nothing_leaks: None) -> None:
    box = bindings.Box(7)
    copies = finish(box.copy()), finish(box.reference_copied())
    assert [copy.number for copy in copies] == [7, 7]
    assert copies[0] is not copies[1]
    assert finish(bindings.make_unique_item(3)).number == 3
    assert finish(bindings.make_shared_item(4)).number == 4


@pytest.mark.parametrize("method", ["reference_internal", "pointer"])
def test_a_reference_into_self_keeps_it_alive(bindings: Any, nothing_leaks: None, method: str) -> None:
    before = bindings.alive()
    item = finish(getattr(bindings.Box(7), method)())
    collect()
    assert item.number == 7
    assert bindings.alive() == before + 2
    del item
    collect()
    assert bindings.alive() == before
    box = bindings.Box(8)
    assert finish(getattr(box, method)()) is finish(getattr(box, method)())


def test_keep_alive_of_another_argument(bindings: Any) -> None:
    class Kept:
        pass

    kept = Kept()
    reference = weakref.ref(kept)
    coroutine = bindings.keeps_second(1, kept)
    del kept
    collect()
    assert reference() is not None
    finish(coroutine)
    del coroutine
    collect()
    assert reference() is None


def test_a_bound_class_can_be_awaited(bindings: Any, nothing_leaks: None) -> None:
    async def main() -> Any:
        results = [await bindings.Box(7), await bindings.Box(8), await bindings.ConstJob(9)]
        box = bindings.Box(10)
        results += [await box, await box]
        job = bindings.Job(asyncio.sleep(0, "slept"))
        assert isinstance(job, collections.abc.Awaitable)
        assert not isinstance(job, collections.abc.Coroutine)
        results.append(await job)
        results += await asyncio.gather(box, box, bindings.ConstJob(11))
        return results

    assert asyncio.run(main()) == ["7", "8", 9, "10", "10", "slept", "10", "10", 11]


def test_cpp_awaits_a_bound_class(bindings: Any, nothing_leaks: None) -> None:
    assert finish(bindings.pass_through(bindings.Box(7))) == "7"
    assert finish(raw_protocol.pass_through(bindings.Box(7))) == "7"


# ---- exceptions ----------------------------------------------------------------------------------


def test_translators_are_asked(bindings: Any) -> None:
    with pytest.raises(bindings.Translated, match=r"^by the translator$") as caught:
        finish(bindings.fail("translated"))
    assert type(caught.value) is bindings.Translated


@pytest.mark.parametrize(
    ("how", "kind", "text"),
    [
        ("value_error", ValueError, "value"),
        ("key_error", KeyError, "'key'"),
        ("out_of_range", IndexError, "range"),
        ("runtime_error", RuntimeError, "runtime"),
        ("stop_iteration", RuntimeError, "coroutine raised StopIteration"),
    ],
)
def test_exceptions_of_the_binding_library(bindings: Any, how: str, kind: Any, text: str) -> None:
    with pytest.raises(kind) as caught:
        finish(bindings.fail(how))
    assert type(caught.value) is kind
    assert str(caught.value) == text
    assert isinstance(caught.value.__cause__, StopIteration) == (how == "stop_iteration")


@pytest.mark.parametrize("how", ["bad_cast", "untranslated"])
def test_other_exceptions_are_some_error(bindings: Any, how: str) -> None:
    with pytest.raises((RuntimeError, SystemError)):
        finish(bindings.fail(how))


@pytest.mark.parametrize(
    "error",
    [Boom("b"), KeyboardInterrupt("k"), SystemExit(1), asyncio.CancelledError("c"), GeneratorExit("g")],
    ids=repr,
)
def test_a_python_error_passes_with_its_identity(bindings: Any, error: BaseException) -> None:
    def fail() -> None:
        raise error

    context = KeyError("cause")
    error.__cause__ = context
    chains: list[Any] = [lambda: bindings.call(fail), lambda: bindings.pass_through(bindings.call(fail))]
    for chain in chains:
        coroutine = chain()
        with pytest.raises(type(error)) as caught:
            coroutine.send(None)
        assert caught.value is error
        assert error.__cause__ is context
        assert functions_in(error)[-1] == "fail"
        error.__traceback__ = None


def test_a_function_may_throw_before_there_is_a_coroutine(bindings: Any) -> None:
    """Arguments are checked by the call (1.2)."""
    assert finish(bindings.checked_add(1, 2)) == 3
    with pytest.raises(LookupError, match="negative"):
        bindings.checked_add(-1, 2)
    with pytest.raises(ValueError, match="coroutine already executing"):
        bindings.misuse_at_once()
    for error in (Boom(), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()):
        assert outcome(bindings.call_at_once, Raiser(error)) == ("raised", error)


class Raiser:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self) -> None:
        raise self.error


def test_a_result_that_cannot_be_converted(bindings: Any) -> None:
    coroutine = bindings.unregistered()
    with pytest.raises((TypeError, RuntimeError)):
        coroutine.send(None)
    with pytest.raises(RuntimeError, match="cannot reuse"):
        coroutine.send(None)


def test_a_python_error_can_be_caught(bindings: Any) -> None:
    def fail() -> None:
        raise Boom("text")

    assert finish(bindings.call_and_catch(fail)) == "caught text"


def test_a_stop_iteration_of_a_python_function_is_converted(bindings: Any) -> None:
    def fail() -> None:
        raise StopIteration("v")

    with pytest.raises(RuntimeError, match=r"^coroutine raised StopIteration$") as caught:
        finish(bindings.call(fail))
    assert isinstance(caught.value.__cause__, StopIteration)


def test_translated_exceptions_have_the_drivers_context(bindings: Any) -> None:
    coroutine = bindings.fail("translated")
    try:
        raise KeyError
    except KeyError as handled:
        with pytest.raises(bindings.Translated) as caught:
            coroutine.send(None)
        assert caught.value.__context__ is handled
