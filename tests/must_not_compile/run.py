"""Compiles programs that must not compile, and checks that they fail for the right reason.

Each ``*.cpp`` here begins with a line ``// expect: <text>``. The program must fail to compile with that text in the
compiler's output; compiled with ``-DFIXED``, it must compile. ``// expect first: <text>`` asks for the text in the
first error. ``// expect first with -DCASE: <text>``, of which there may be many, compiles with that option. Each line
that ends with ``// refused`` must be named in the output too, so that one program can hold many cases; they must differ
in what they instantiate, since a compiler reports that only once. Those in ``python/`` also see the headers of CPython,
nanobind and pybind11, so this script runs with an interpreter that has both.
"""

import argparse
import re
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent / "include"
EXPECT = re.compile(r"// expect(?P<first> first)?(?: with (?P<option>-D\w+))?: (?P<text>.*)")
FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", f"-I{INCLUDE}"]


def python_flags() -> list[str]:
    import nanobind
    import pybind11

    folders = [sysconfig.get_path("include"), nanobind.include_dir(), pybind11.get_include()]
    return [argument for folder in folders for argument in ("-isystem", folder)]


def precompile(compiler: str, header: str, extra: list[str], folder: Path) -> None:
    """Makes a precompiled header, which takes most of the time of each program."""
    suffix = "pch" if "clang" in compiler else "gch"
    made = folder / compiler / "isthmus" / f"{header}.{suffix}"
    made.parent.mkdir(parents=True, exist_ok=True)
    flags = [flag for flag in FLAGS if flag != "-fsyntax-only"]
    command = [compiler, *flags, *extra, "-w", "-xc++-header", str(INCLUDE / "isthmus" / header), "-o", str(made)]
    subprocess.run(command, check=True)


def use_precompiled(compiler: str, lines: list[str], folder: Path) -> list[str]:
    """The options by which a program finds that of the header that it includes first."""
    first = next((line for line in lines if line.startswith("#")), "")
    header = re.fullmatch(r"#include <isthmus/(\w+\.hpp)>", first)
    if header is None:
        return []
    if "clang" in compiler:
        return ["-include-pch", str(folder / compiler / "isthmus" / f"{header[1]}.pch")]
    return [f"-I{folder / compiler}"]


def check(compiler: str, source: Path, extra: list[str], folder: Path) -> str | None:
    """None if all is as it should be, else what is wrong."""
    lines = source.read_text().splitlines()
    precompiled = use_precompiled(compiler, lines, folder)
    expectations = [match for line in lines if (match := EXPECT.fullmatch(line))]
    if not lines or not EXPECT.fullmatch(lines[0]):
        return "the first line is not '// expect: <text>'"

    def compile_with(*more: str) -> tuple[bool, str]:
        all_errors = ["-ferror-limit=0"] if "clang" in compiler else []
        command = [compiler, *precompiled, *FLAGS, *all_errors, *extra, *more, str(source)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        return result.returncode == 0, result.stderr

    outputs = ""
    for expected in expectations:
        options = [expected["option"]] if expected["option"] else []
        case = " ".join(["with", *options, ""]) if options else ""
        compiled, output = compile_with(*options)
        if compiled:
            return f"{case}compiles, and must not"
        errors = [line for line in output.splitlines() if "error:" in line]
        if expected["text"] not in ("".join(errors[:1]) if expected["first"] else output):
            return f"{case}fails, but without the text {expected['text']!r}:\n{output}"
        outputs += output
    for number, line in enumerate(lines, 1):
        if line.endswith("// refused") and f"{source.name}:{number}:" not in outputs:
            return f"line {number} is not refused: {line.strip()}"
    compiled, output = compile_with("-DFIXED", "-Werror")
    if not compiled:
        return f"fails with -DFIXED too:\n{output}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only files whose name contains one of these")
    parser.add_argument("--compiler", action="append", help="may be repeated; default: g++ and clang++-19")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()

    plain = sorted(HERE.glob("*.cpp"))
    python = sorted((HERE / "python").glob("*.cpp"))
    extra = python_flags() if python else []
    cases = [
        (compiler, source, extra if source in python else [])
        for source in plain + python
        for compiler in options.compiler or ["g++", "clang++-19"]
        if not options.names or any(name in source.name for name in options.names)
    ]
    headers: list[tuple[str, list[str]]] = [("isthmus.hpp", [])] + [
        (f"{name}.hpp", extra) for name in ("python", "nanobind", "pybind11")
    ]
    with ThreadPoolExecutor(options.jobs) as pool, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compilers = sorted({compiler for compiler, _, _ in cases})
        made = [(compiler, *header, folder) for compiler in compilers for header in headers]
        list(pool.map(lambda header: precompile(*header), made))
        verdicts = list(pool.map(lambda case: check(case[0], case[1], case[2], folder), cases))
    failed = 0
    for (compiler, source, _), problem in zip(cases, verdicts, strict=True):
        if problem:
            failed += 1
            print(f"{source.relative_to(HERE)} with {compiler}: {problem}")
    print(f"must not compile: {len(cases) - failed} passed, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
