"""Compiles two small programs, stops them in gdb, and compares what share/gdb/isthmus_gdb.py prints there."""

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "debugger"
SCRIPT = ROOT / "share/gdb/isthmus_gdb.py"
FLAGS = ["-std=c++20", "-g", "-O0", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}"]

PYTHON_PROGRAM = """
import debugged

class Iterator:
    def __await__(self):
        yield

async def native(awaited):
    return await awaited

chain = debugged.outer(debugged.outer(native(debugged.inner(Iterator()))))
chain.send(None)
debugged.look_at(chain, Iterator())
"""


def line_of(source: str, comment: str) -> str:
    """ "file:line" of the line with this comment."""
    lines = (HERE / source).read_text().splitlines()
    return f"{source}:{1 + next(i for i, line in enumerate(lines) if line.endswith(f'// {comment}'))}"


def printed_by_gdb(commands: list[str], *program: str | Path) -> list[str]:
    """What is printed after each command, at the breakpoint stop_here(), one string for each."""
    options = ["gdb", "-nx", "-batch", "-iex", "set auto-load off", "-ex", "set breakpoint pending on"]
    before = [f"source {SCRIPT}", "break stop_here", "run"]
    marked = [part for command in commands for part in ("echo \\n====\\n", command)]
    scripted = [argument for command in [*before, *marked, marked[0], "kill"] for argument in ("-ex", command)]
    result = subprocess.run(
        [*options, *scripted, "--args", *map(str, program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PYTHONPATH": str(BUILD), "PATH": "/usr/bin:/bin"},
        text=True,
        timeout=120,
        check=False,
    )
    _, *printed, _ = result.stdout.split("\n====\n")
    if len(printed) != len(commands) or "stop_here (" not in result.stdout:
        sys.exit(f"gdb did not come to the breakpoint:\n{result.stdout}")
    return [re.sub(r"0x[0-9a-f]+", "0x...", part).replace(f"{HERE}/", "").rstrip() for part in printed]


def compare(title: str, expected: dict[str, list[str]], *program: str | Path) -> bool:
    printed = printed_by_gdb(list(expected), *program)
    good = True
    for (command, lines), found in zip(expected.items(), printed, strict=True):
        if found.splitlines() != lines:
            wanted = "\n".join(lines)
            print(f"{title}: {command}\nshould print\n{wanted}\nand prints\n{found}\n")
            good = False
    print(f"{title}: {'ok' if good else 'FAILED'}")
    return good


def test_program(compiler: str) -> bool:
    program = BUILD / f"program-{compiler}"
    subprocess.run([compiler, *FLAGS, HERE / "program.cpp", "-pthread", "-o", program], check=True)
    served = [
        f"#0  shop::server::handle at {line_of('program.cpp', 'again')}",
        f"#1  shop::server::handle at {line_of('program.cpp', 'handle')}",
        f"#2  shop::server::read at {line_of('program.cpp', 'read')}",
        "#3  awaiting shop::socket",
    ]
    expected = {
        "isthmus chain served": served,
        "isthmus chain &served": served,
        "isthmus chain *served.frame_->awaiting->parent": served,
        "isthmus chain numbered": [
            f"#0  shop::all at {line_of('program.cpp', 'all')}",
            f"#1  shop::numbers at {line_of('program.cpp', 'numbers')}",
        ],
        "isthmus chain ended": ["The coroutine has ended."],
        "isthmus chain level": [f"#0  runs at {line_of('program.cpp', 'runs')}"],
        "isthmus chain 1": ["isthmus chain: int is no coroutine, frame or Python object"],
        "isthmus chain": ["isthmus chain: which coroutine?"],
        "isthmus chain no_such_thing": ['isthmus chain: No symbol "no_such_thing" in current context.'],
    }
    return compare(f"C++, {compiler}", expected, program)


def test_python() -> bool:
    module = BUILD / f"debugged{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = ["-isystem", sysconfig.get_path("include")]
    subprocess.run(["g++", *FLAGS, *include, "-fPIC", "-shared", HERE / "debugged.cpp", "-o", module], check=True)
    program = BUILD / "program.py"
    program.write_text(PYTHON_PROGRAM)
    outer, inner = (line_of("debugged.cpp", name) for name in ("outer", "inner"))
    expected = {
        "isthmus chain first": [
            f"#0  shop::outer at {outer}",
            f"#1  shop::inner at {inner}",
            f"#2  shop::outer at {outer}",
            f"#3  shop::inner at {inner}",
            "#4  awaiting coroutine, (PyObject*)0x...",
        ],
        "isthmus chain second": ["isthmus chain: this Python object is no C++ coroutine"],
    }
    return compare("Python", expected, sys.executable, program)


def main() -> int:
    if shutil.which("gdb") is None:
        print("gdb is not installed: nothing was tested")
        return 0
    BUILD.mkdir(parents=True, exist_ok=True)
    results = [test_program("g++"), test_program("clang++-19"), test_python()]
    print(f"programs in gdb: {sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
