"""What <isthmus/nanobind.hpp> alone promises; test_bindings.py has what it shares with pybind11."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nb_bindings
from support import run_python

EXPECTED = """\
def add(a: int, b: int = 2) -> Coroutine[Any, Any, int]:
def nothing() -> Coroutine[Any, Any, None]: ...
def pass_through(arg: object, /) -> Coroutine[Any, Any, object]: ...
def await_vector(arg: object, /) -> Coroutine[Any, Any, list[int]]: ...
def pair_if(*, wanted: bool = True) -> Coroutine[Any, Any, tuple[int, str] | None]: ...
def overloaded(arg: int, /) -> Coroutine[Any, Any, str]: ...
def overloaded(arg: str, /) -> Coroutine[Any, Any, str]: ...
def plain_lambda(arg: int, /) -> Coroutine[Any, Any, int]: ...
def std_function(arg: int, /) -> Coroutine[Any, Any, int]: ...
    def fetch(self) -> Coroutine[Any, Any, int]: ...
    def peek(self, extra: int = 100) -> Coroutine[Any, Any, int]: ...
    def one() -> Coroutine[Any, Any, int]: ...
    def reference_internal(self) -> Coroutine[Any, Any, Item]: ...
    def __await__(self) -> Generator[Any, Any, str]: ...
def count(arg: int, /) -> Generator[int, None, None]: ...
def join() -> Generator[str, list[int], int]: ...
    def references(self, arg: int, /) -> Generator[Item, None, None]: ...
def make_unique_item(arg: int, /) -> Coroutine[Any, Any, Item]: ...
"""


def stub_of(module: ModuleType) -> str:
    from nanobind.stubgen import StubGen

    generator = StubGen(module)
    generator.put(module)
    text = generator.get()
    assert isinstance(text, str)
    return text


def test_21_4_the_stub_names_what_awaiting_gives() -> None:
    stub = stub_of(nb_bindings).splitlines()
    for line in EXPECTED.splitlines():
        assert line in stub


def test_21_4_the_stub_is_valid_for_mypy(tmp_path: Path) -> None:
    user = tmp_path / "user.py"
    (tmp_path / "nb_bindings.pyi").write_text(stub_of(nb_bindings))
    user.write_text(
        "import nb_bindings as m\n"
        "async def main() -> int:\n"
        "    box = m.Box(1)\n"
        "    text: str = await box\n"
        "    number: int = await m.add(1) + await box.fetch()\n"
        "    wrong: str = await m.add(1)\n"
        "    return number + len(text) + len(wrong)\n"
    )
    # In a process of its own: mypy changes the recursion limit.
    # HidingBox overrides what it inherits with something else.
    options = ["--strict", "--disable-error-code=override", "--cache-dir", str(tmp_path / "cache")]
    command = [sys.executable, "-m", "mypy", *options, "user.py"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("user.py:6: error: Incompatible types in assignment"), result
    assert lines[-1].startswith("Found 1 error"), result


def test_the_signature_shows_it() -> None:
    assert "-> collections.abc.Coroutine[typing.Any, typing.Any, int]" in nb_bindings.add.__doc__


def test_nanobind_reports_no_leaks_at_exit() -> None:
    result = run_python("""
        import nb_bindings as m
        from support import Iterator
        adder = m.make_adder(1)
        unstarted = [m.greet("x"), m.Box(1).fetch(), adder(2)]
        box = m.Box(2)
        started = [box.by_capturing_lambda(Iterator(1)), adder(Iterator(1)), m.pass_through(Iterator(1))]
        for coroutine in started:
            coroutine.send(None)
        unstarted.pop().close()
    """)
    assert result.stdout == ""
    assert "leaked" not in result.stderr, result.stderr
