"""What binding a coroutine costs the compiler, beside binding a function: seconds, and bytes of code."""

import pathlib
import re
import subprocess
import time

# A module of each kind, with one function and with eleven: the first one brings the headers in.
FUNCTION = "int f{0}(int value) {{ return value + {0}; }}"
COROUTINE = "isthmus::py::coroutine<int> f{0}(int value) {{ co_return value + {0}; }}"
KINDS = {
    "function": ("", FUNCTION),
    "coroutine": ("#include <isthmus/nanobind/coroutine.hpp>\n", COROUTINE),
    "coroutine, all headers": ("#include <isthmus/nanobind.hpp>\n", COROUTINE),
}
NUMBERS = (1, 11)


def source_of(kind: str, number: int) -> str:
    """The text of a module."""
    include, function = KINDS[kind]
    functions = "\n".join(function.format(i) for i in range(number))
    bound = "\n".join(f'    m.def("f{i}", &f{i});' for i in range(number))
    return f"#include <nanobind/nanobind.h>\n{include}\n{functions}\n\nNB_MODULE(cost, m) {{\n{bound}\n}}\n"


def measure(
    compiler: str, includes: list[str], folder: pathlib.Path, rounds: int
) -> tuple[list[dict[str, float]], ...]:
    """Rounds of seconds, and of bytes, under "number|kind"; the compiler's cache is not asked."""
    folder.mkdir(parents=True, exist_ok=True)
    seconds: list[dict[str, float]] = []
    size: list[dict[str, float]] = []
    for _ in range(rounds):
        seconds.append({})
        size.append({})
        for number in NUMBERS:
            for kind in KINDS:
                source = folder / f"{kind}_{number}.cpp"
                source.write_text(source_of(kind, number))
                target = source.with_suffix(".o")
                command = [compiler, "-std=c++20", "-O2", "-DNDEBUG", "-fPIC", "-fvisibility=hidden"]
                command += [*(f"-I{path}" for path in includes), "-c", str(source), "-o", str(target)]
                start = time.perf_counter()
                subprocess.run(command, check=True)
                seconds[-1][f"{number}|{kind}"] = time.perf_counter() - start
                sections = subprocess.run(
                    ["size", "-A", str(target)], check=True, capture_output=True, text=True
                ).stdout
                code = re.findall(r"^\.text\S*\s+(\d+)", sections, re.MULTILINE)
                size[-1][f"{number}|{kind}"] = sum(map(int, code))
        for measured in (seconds[-1], size[-1]):
            for kind in KINDS:
                first, last = (measured[f"{number}|{kind}"] for number in NUMBERS)
                measured[f"each further one|{kind}"] = (last - first) / (NUMBERS[1] - NUMBERS[0])
    return seconds, size
