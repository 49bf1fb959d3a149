"""In a debug build, what needs the GIL and is called without it ends the process with a text that says so."""

import signal
import subprocess
import sys

import pytest

NAMES = {
    "copy": "copying a py::object",
    "borrow": "py::object::borrow()",
    "error": "making a py::error",
    "checked": "py::checked()",
    "throw_raised": "py::throw_raised()",
    "to_python": "making a coroutine object, or waiting on an event loop,",
    "completion": "making a coroutine object, or waiting on an event loop,",
}


def call(name: str, on_thread: bool) -> subprocess.CompletedProcess[str]:
    program = f"import raw_gil; raw_gil.call({name!r}, {on_thread}, object()); print('went on')"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", NAMES)
def test_without_the_gil_it_is_fatal(name: str) -> None:
    on_thread = name == "copy"
    ended = call(name, on_thread)
    assert ended.returncode == -signal.SIGABRT
    first = ended.stderr.splitlines()[0]
    assert first.startswith("Fatal Python error: ")
    assert f"isthmus: {NAMES[name]} needs the GIL, and this thread does not hold it: call it where" in first


@pytest.mark.parametrize("on_thread", [False, True])
def test_moving_and_destroying_need_no_gil(on_thread: bool) -> None:
    ended = call("allowed", on_thread)
    assert (ended.returncode, ended.stdout) == (0, "went on\n"), ended.stderr
