"""C++ functions that return coroutines are coroutine functions in the eyes of Python: nanobind's, pybind11's and those
that are made with CPython's C API (16.3, 16.5)."""

import asyncio
import contextlib
import copy
import functools
import gc
import inspect
import pickle
import sys
import types
import typing
import unittest.mock
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nb_bindings
import pb_bindings
import pytest
import raw_functions
from support import VERSION, collect, finish, run, run_python

NUMBER = {
    nb_bindings: int,
    pb_bindings: typing.SupportsInt | typing.SupportsIndex,
    raw_functions: inspect.Parameter.empty,
}
"""How the parameters of add() are annotated."""

METHODS = [nb_bindings.Box.peek, pb_bindings.Box.peek, raw_functions.Thing.method]


async def native_add(a: int, b: int = 2) -> int:
    return a + b


@pytest.fixture(params=[nb_bindings, pb_bindings, raw_functions], ids=["nanobind", "pybind11", "raw"])
def module(request: pytest.FixtureRequest) -> Any:
    """One of the modules that have a function add(a, b=2)."""
    return request.param


@pytest.fixture(params=[nb_bindings, pb_bindings], ids=["nanobind", "pybind11"])
def bindings(request: pytest.FixtureRequest) -> Any:
    return request.param


def is_coroutine_function(function: Any) -> bool:
    """What inspect and asyncio say, who must agree."""
    with contextlib.ExitStack() as stack:
        if VERSION >= (3, 14):
            stack.enter_context(pytest.warns(DeprecationWarning, match="iscoroutinefunction"))
        by_asyncio = asyncio.iscoroutinefunction(function)
    assert inspect.iscoroutinefunction(function) == by_asyncio
    return by_asyncio


# ---- who is one ----------------------------------------------------------------------------------


def test_16_3_a_function_that_returns_a_coroutine_is_a_coroutine_function(module: Any) -> None:
    assert is_coroutine_function(module.add)
    assert finish(module.add(1)) == 3
    assert finish(module.add(1, b=5)) == 6


def test_16_3_so_are_partial_objects_and_methods(module: Any) -> None:
    assert is_coroutine_function(functools.partial(module.add, 1))
    for method in METHODS:
        assert is_coroutine_function(method)
        owner = raw_functions.Thing if method is raw_functions.Thing.method else None
        assert owner is None or method is owner.method
    for box in (nb_bindings.Box(1), pb_bindings.Box(1)):
        assert is_coroutine_function(box.peek)
        assert is_coroutine_function(type(box).by_lambda)
        assert is_coroutine_function(type(box).one)
        assert is_coroutine_function(box.one)
        assert isinstance(box.peek, types.MethodType)


def test_16_3_others_are_not(bindings: Any) -> None:
    for function in (bindings.alive, bindings.share_plain, bindings.make_adder, bindings.Box.__await__, bindings.Box):
        assert not is_coroutine_function(function)
    assert not is_coroutine_function(raw_functions.plain_add)
    assert not inspect.isgeneratorfunction(bindings.add)
    assert not inspect.isasyncgenfunction(bindings.add)


def test_16_3_what_runs_in_a_thread_is_one(bindings: Any) -> None:
    assert is_coroutine_function(bindings.thread_square)
    assert list(inspect.signature(bindings.thread_square).parameters) == ["number"]

    async def main() -> Any:
        return await bindings.thread_square(number=3)

    assert run(main()) == 9


def test_a_function_made_at_run_time_is_one_with_nanobind() -> None:
    adder = nb_bindings.make_adder(1)
    assert is_coroutine_function(adder)
    assert adder.__name__ == ""


def test_16_5_what_a_function_answers(module: Any) -> None:
    function = module.add
    assert function.__class__ is types.FunctionType
    assert type(function) is not types.FunctionType
    assert inspect.isfunction(function)
    assert inspect.isroutine(function)
    assert function.__code__.co_flags & inspect.CO_COROUTINE
    assert function.__code__.co_name == "add"
    assert function.__code__.co_varnames == ("a", "b")
    assert function.__defaults__ == (2,)
    assert function.__kwdefaults__ is None
    assert function.__globals__ is vars(module)
    assert function.__closure__ is None
    if VERSION >= (3, 12):
        assert function.__type_params__ == ()
    with pytest.raises(AttributeError):
        _ = function.no_such_attribute
    assert types.coroutine(function) is function


def test_16_4_it_can_be_marked_and_has_attributes() -> None:
    function = raw_functions.as_coroutine_function(raw_functions.plain_add)
    if VERSION >= (3, 12):
        assert inspect.markcoroutinefunction(function) is function  # type: ignore[attr-defined, unused-ignore]
    function.note = 1
    assert function.note == vars(function)["note"] == 1
    del function.note
    assert not hasattr(function, "note")
    function.__qualname__ = "other.add"
    function.__doc__ = "Other."
    assert (function.__qualname__, function.__doc__, function.__name__) == ("other.add", "Other.", "plain_add")


# ---- names and signatures ------------------------------------------------------------------------


def test_the_signature(module: Any) -> None:
    signature = inspect.signature(module.add)
    assert list(signature.parameters) == ["a", "b"]
    assert [p.default for p in signature.parameters.values()] == [inspect.Parameter.empty, 2]
    assert [p.annotation for p in signature.parameters.values()] == [NUMBER[module]] * 2
    assert [p.kind for p in signature.parameters.values()] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2
    assert list(inspect.signature(functools.partial(module.add, 1)).parameters) == ["b"]
    signature.bind(1, b=2)


def test_21_4_the_annotation_of_the_result_is_what_awaiting_gives(bindings: Any) -> None:
    hints = typing.get_type_hints(bindings.add)
    assert hints == {"a": NUMBER[bindings], "b": NUMBER[bindings], "return": int}
    assert typing.get_type_hints(bindings.make_unique_item)["return"] is bindings.Item
    assert inspect.signature(bindings.nothing).return_annotation in (None, type(None))
    assert inspect.signature(bindings.pair_if).return_annotation == tuple[int, str] | None
    assert inspect.signature(bindings.await_vector).return_annotation == list[int]


def test_the_signature_of_keyword_only_parameters(bindings: Any) -> None:
    assert str(inspect.signature(bindings.pair_if)) == "(*, wanted: bool = True) -> tuple[int, str] | None"
    assert bindings.pair_if.__kwdefaults__ == {"wanted": True}
    assert bindings.pair_if.__defaults__ is None


def test_the_signature_of_a_method() -> None:
    for module in (nb_bindings, pb_bindings):
        assert list(inspect.signature(module.Box.peek).parameters) == ["self", "extra"]
        assert list(inspect.signature(module.Box(1).peek).parameters) == ["extra"]
        assert inspect.signature(module.Box(1).peek).parameters["extra"].default == 100
        assert list(inspect.signature(module.Box.one).parameters) == []
    assert str(inspect.signature(raw_functions.Thing.method)) == "(self, argument, /)"
    assert str(inspect.signature(raw_functions.Thing().method)) == "(argument, /)"


def test_the_signature_where_there_is_none(bindings: Any) -> None:
    """Of several overloads there is none that fits all; of a function of the C API if its documentation has none."""
    assert str(inspect.signature(bindings.overloaded)) == "(*args, **kwargs)"
    assert str(inspect.signature(raw_functions.pass_on)) == "(*args, **kwargs)"


def test_names_and_documentation_are_those_of_the_function(module: Any) -> None:
    assert (module.add.__name__, module.add.__qualname__, module.add.__module__) == ("add", "add", module.__name__)
    assert "Adds two numbers." in module.add.__doc__
    assert "add" in repr(module.add) or "nb_func" in repr(module.add)
    for method in METHODS:
        assert method.__qualname__ == f"{'Thing' if method is METHODS[2] else 'Box'}.{method.__name__}"


def test_it_is_pickled_and_copied_by_name(module: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(module.add, protocol)) is module.add
    assert copy.copy(module.add) is copy.deepcopy(module.add) is module.add
    for method in METHODS:
        assert pickle.loads(pickle.dumps(method)) is method


def test_wraps(module: Any) -> None:
    @functools.wraps(module.add)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await module.add(*args, **kwargs)

    assert wrapper.__name__ == "add"
    assert wrapper.__doc__ == module.add.__doc__
    assert inspect.signature(wrapper) == inspect.signature(module.add)
    assert finish(wrapper(1)) == 3


def test_the_stub_has_the_functions() -> None:
    from nanobind.stubgen import StubGen

    generator = StubGen(nb_bindings)
    generator.put(nb_bindings)
    stub = generator.get()
    for line in (
        "def thread_square(number: int) -> Coroutine[Any, Any, int]: ...",
        "    @staticmethod\n    def one() -> Coroutine[Any, Any, int]: ...",
        "    def fetch(self) -> Coroutine[Any, Any, int]: ...",
        "@overload\ndef overloaded(arg: int, /) -> Coroutine[Any, Any, str]: ...",
        "@overload\ndef overloaded(arg: str, /) -> Coroutine[Any, Any, str]: ...",
    ):
        assert line in stub


# ---- overloads -----------------------------------------------------------------------------------


def test_overloads_that_all_return_coroutines(bindings: Any) -> None:
    assert is_coroutine_function(bindings.overloaded)
    assert finish(bindings.overloaded(1)) == "int"
    assert finish(bindings.overloaded("x")) == "str"
    with pytest.raises(TypeError):
        bindings.overloaded([])


def test_with_a_plain_overload_it_is_a_plain_function(bindings: Any) -> None:
    """Who sees an `async def` function awaits whatever a call gives."""
    for function in (bindings.mixed, bindings.mixed_late):
        assert not is_coroutine_function(function)
        assert function(3) == 9
        assert finish(function("you")) == "hello you"


def test_an_overload_that_is_added_later() -> None:
    m = nb_bindings
    assert is_coroutine_function(m.overloaded_later)
    assert is_coroutine_function(m.mixed_later)
    before = m.overloaded_later
    m.overload_later()
    assert is_coroutine_function(m.overloaded_later)
    assert finish(m.overloaded_later(1)) == "int"
    assert finish(m.overloaded_later("x")) == "str"
    assert m.overloaded_later is not before
    assert not is_coroutine_function(m.mixed_later)
    assert m.mixed_later(3) == 9
    assert finish(m.mixed_later("you")) == "hello you"


def test_a_derived_class_hides_what_it_inherits(bindings: Any) -> None:
    box, derived = bindings.Box(2), bindings.HidingBox(2)
    assert finish(box.by_lambda(3)) == 6
    assert finish(derived.by_lambda(3)) == -6
    assert is_coroutine_function(bindings.HidingBox.by_lambda)
    assert derived.copy() == 2
    assert not is_coroutine_function(bindings.HidingBox.copy)
    assert is_coroutine_function(bindings.Box.copy)
    assert finish(box.copy()).number == 2
    with pytest.raises(TypeError):
        derived.by_lambda("x")


# ---- calls and life ------------------------------------------------------------------------------


def test_errors_of_a_call_are_those_of_the_function(module: Any) -> None:
    with pytest.raises(TypeError):
        module.add()
    with pytest.raises(TypeError):
        module.add(1, 2, 3)
    with pytest.raises(TypeError):
        module.add(1, c=3)


def test_a_method_can_be_called_in_every_way() -> None:
    for module in (nb_bindings, pb_bindings):
        box = module.Box(1)
        bound = box.peek
        assert finish(box.peek(extra=1)) == finish(bound(1)) == finish(module.Box.peek(box, 1)) == 2
        assert finish(module.Box.one()) == finish(box.one()) == 1
    thing = raw_functions.Thing()
    assert finish(thing.method(1)) == finish(raw_functions.Thing.method(thing, 1)) == (thing, 1)


def test_static_and_class_methods_stay_such() -> None:
    async def f(x: int) -> int:
        return x

    kinds: list[Any] = [staticmethod, classmethod]
    for kind in kinds:
        made = raw_functions.as_coroutine_function(kind(f))
        assert type(made) is kind
        assert is_coroutine_function(made.__func__)
    owner: Any = type("Owner", (), {"f": raw_functions.as_coroutine_function(staticmethod(f))})
    assert is_coroutine_function(owner.f)
    assert finish(owner().f(1)) == 1


def test_any_callable_can_be_one() -> None:
    class Add:
        def __call__(self, a: int, *, b: int = 2) -> Any:
            return native_add(a, b)

    for callable_ in (Add(), native_add, functools.partial(native_add), Add().__call__):
        function = raw_functions.as_coroutine_function(callable_)
        assert is_coroutine_function(function)
        assert finish(function(1, b=3)) == 4
        assert list(inspect.signature(function).parameters) == ["a", "b"] or callable_ is not native_add
    again = raw_functions.as_coroutine_function(raw_functions.add)
    assert again is raw_functions.add


def test_what_cannot_be_one() -> None:
    with pytest.raises(TypeError, match="needs a function"):
        raw_functions.as_coroutine_function(1)
    with pytest.raises(TypeError, match="does not know this kind of method"):
        raw_functions.as_coroutine_function(vars(raw_functions.Thing)["class_method"])


def test_it_is_collected_with_what_it_holds() -> None:
    def make() -> weakref.ref[Any]:
        async def f() -> None: ...

        function = raw_functions.as_coroutine_function(f)
        function.itself = function
        f.it = function  # type: ignore[attr-defined]
        inspect.signature(function)
        assert gc.is_tracked(function)
        assert len({function, function}) == 1
        return weakref.ref(function)

    assert make()() is not None
    collect()
    alive = make()
    collect()
    assert alive() is None


def test_interpreters_end_with_functions_alive() -> None:
    result = run_python("""
        import inspect, nb_bindings, pb_bindings, raw_functions
        for m in nb_bindings, pb_bindings, raw_functions:
            inspect.signature(m.add)
            m.add.itself = m.add
    """)
    assert "leaked" not in result.stderr, result.stderr


# ---- mock and the frameworks ---------------------------------------------------------------------


def test_22_2_patch_makes_an_async_mock(module: Any) -> None:
    with unittest.mock.patch.object(module, "add") as mocked:
        assert isinstance(mocked, unittest.mock.AsyncMock)
    specified = unittest.mock.create_autospec(module.add)
    specified.return_value = 7
    assert run(specified(1)) == 7
    with pytest.raises(TypeError):
        run(specified(1, 2, 3))  # later CPythons check when it is awaited


IS_DEFAULT = Path(sys.prefix).resolve() == (Path(__file__).parents[2] / ".venv/default").resolve()
frameworks = pytest.mark.skipif(
    not IS_DEFAULT, reason="the frameworks of requirements-default.txt are installed for the default CPython alone"
)


@frameworks
def test_starlette_serves_a_function(module: Any) -> None:
    """Starlette awaits coroutine functions, and runs all others in a thread; what is no function is no endpoint."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    endpoint = {nb_bindings: nb_bindings.pass_through, pb_bindings: pb_bindings.pass_through}.get(module)

    class Request:
        """pass_through() awaits its argument: here, the request."""

        def __init__(self, function: Callable[[Any], Any]) -> None:
            self.function = function

        def __call__(self, request: Any) -> Any:
            async def answer() -> PlainTextResponse:
                return PlainTextResponse(f"path {request.url.path}")

            return self.function(answer())

    if endpoint is None:
        served = raw_functions.as_coroutine_function(Request(native_pass_through))
    else:
        served = raw_functions.as_coroutine_function(Request(endpoint))
    app = Starlette(routes=[Route("/cpp", served)])
    assert TestClient(app).get("/cpp").text == "path /cpp"


async def native_pass_through(awaited: Any) -> Any:
    return await awaited


@frameworks
def test_fastapi_serves_a_function() -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app = FastAPI()
    app.get("/add")(nb_bindings.add)
    client = TestClient(app)
    assert client.get("/add", params={"a": 3}).json() == 5
    assert client.get("/add", params={"a": 3, "b": 4}).json() == 7
    assert client.get("/add").status_code == client.get("/add", params={"a": "x"}).status_code == 422


@frameworks
def test_asgiref_takes_it_for_a_coroutine_function(module: Any) -> None:
    from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async

    assert iscoroutinefunction(module.add)
    assert async_to_sync(module.add)(1) == 3
    with pytest.raises(TypeError, match="can only be applied to sync functions"):
        sync_to_async(module.add)


@frameworks
def test_pytest_asyncio_runs_functions(tmp_path: Path) -> None:
    (tmp_path / "test_cpp.py").write_text(
        "import nb_bindings, pb_bindings, pytest, raw_functions\n"
        "test_nanobind = pytest.mark.asyncio(nb_bindings.nothing)\n"
        "test_pybind11 = pytest.mark.asyncio(pb_bindings.nothing)\n"
        "@pytest.mark.asyncio\n"
        "@pytest.mark.parametrize('m', [nb_bindings, pb_bindings, raw_functions])\n"
        "async def test_await(m):\n"
        "    assert await m.add(1) == 3\n"
    )
    result = run_python(f"""
        import pytest
        raise SystemExit(pytest.main(["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "{tmp_path}"]))
    """)
    assert "5 passed" in result.stdout
