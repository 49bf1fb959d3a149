"""Counts the instructions and the allocations of the hot paths by callgrind, and the bytes of what is suspended, and
compares them with the record.

Each path is run some times and twice as often; the difference, divided, is exact, and the same on a busy machine. The
check looks only at instructions inside our own code (the program, or the extension module), so that neither the C
library nor CPython's build matters. The record is kept for each compiler, and for each version of CPython.

Usage: run.py --build <CMake's binary folder> [--python <interpreter>] [--record | --json FILE]
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import asdict, dataclass
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
RECORD = HERE / "record.toml"
TIMES = 1000
TOLERANCE = 1.03
# Where the allocators of one call another, only one is counted; what our own code calls may be any of them.
ALLOCATORS = re.compile(r"[mc]alloc|realloc|aligned_alloc|Py(Object|Mem)_([MC]alloc|Realloc)")
CALLED_BY_US = re.compile(
    ALLOCATORS.pattern + r"|operator new.*|__cxa_allocate_exception|_?PyObject_GC_New|PyType_GenericAlloc"
)
NAMES = {"own": "instructions", "allocations": "allocations", "bytes": "bytes"}

HEADER = """\
# What the hot paths cost: instructions inside our code, and allocations, each for one time. What a suspended coroutine
# takes: bytes. `make counts` writes this.
"""


@dataclass
class Count:
    """Of one path, for one time."""

    own: float  # instructions of our code
    total: float  # instructions of all
    own_allocations: float  # calls of an allocator by our code
    allocations: float  # calls by all
    bytes: float = 0  # that it takes; nothing else is counted then

    def recorded(self) -> dict[str, float]:
        """What the record has of it."""
        return {"bytes": self.bytes} if self.bytes else {"own": self.own, "allocations": self.own_allocations}

    def __str__(self) -> str:
        if self.bytes:
            return f"{self.bytes:>10g} bytes"
        return f"{self.own:>10g} instructions  {self.own_allocations:>6g} allocations"


def read_dump(path: pathlib.Path, own: str) -> tuple[str, Count]:
    """The name of a dump, and what it counts; `own` begins the name of the file whose instructions are ours."""
    name, here, objects, functions = "", "", dict[str, str](), dict[str, str]()
    callee, skip = "", False
    count = Count(0, 0, 0, 0)

    def spelled(value: str, names: dict[str, str]) -> str:
        # "(7) malloc" for the first time, "(7)" from then on.
        number, _, text = value.partition(" ")
        return names.setdefault(number, text)

    for line in path.read_text().splitlines():
        key, equals, value = line.partition("=")
        if line.startswith("desc: Trigger: Client Request: "):
            name = line.removeprefix("desc: Trigger: Client Request: ")
        elif equals and key == "ob":
            here = pathlib.Path(spelled(value, objects)).name
        elif equals and key == "cob":
            spelled(value, objects)
        elif equals and key == "fn":
            spelled(value, functions)
        elif equals and key == "cfn":
            callee = spelled(value, functions)
        elif equals and key == "calls":
            callee, calls = callee.partition("'")[0], int(value.split()[0])
            count.allocations += calls if ALLOCATORS.fullmatch(callee) else 0
            count.own_allocations += calls if here.startswith(own) and CALLED_BY_US.fullmatch(callee) else 0
            skip = True  # the next line is what the call cost
        elif line[:1] in "0123456789+-*" and line:
            if not skip:
                cost = int(line.split()[1])
                count.total += cost
                count.own += cost if here.startswith(own) else 0
            skip = False
    return name, count


def measure(command: list[str], own: str, path: list[pathlib.Path]) -> dict[str, Count]:
    """Runs a program that dumps each of its paths twice, as "name|1" and "name|2"."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(map(str, path))}
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "counts"
        valgrind = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]
        subprocess.run([*valgrind, *command, str(TIMES)], check=True, env=environment)
        dumps = dict(read_dump(dump, own) for dump in out.parent.glob("counts.*"))
    counts = {}
    for name, once in dumps.items():
        case, _, factor = name.rpartition("|")
        if factor == "1":
            twice = dumps[f"{case}|2"]
            before, after = asdict(once), asdict(twice)
            counts[case] = Count(**{field: round((after[field] - before[field]) / TIMES, 2) for field in before})
    if not counts:
        raise SystemExit(f"callgrind wrote nothing that could be read: {command[0]}")
    return dict(sorted(counts.items()))


def output(command: list[str], path: list[pathlib.Path]) -> Any:
    """What a program writes, as JSON."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def of_bytes(sizes: dict[str, float]) -> dict[str, Count]:
    """What suspended coroutines take."""
    return {name: Count(0, 0, 0, 0, round(size)) for name, size in sizes.items()}


def compiler(build: pathlib.Path) -> str:
    """The compiler of a build, as "g++ 12.2"."""
    path = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.MULTILINE)
    assert path, "not a build folder of CMake"
    version = subprocess.run([path[1], "-dumpfullversion"], check=True, capture_output=True, text=True).stdout
    return f"{pathlib.Path(path[1]).name} {'.'.join(version.strip().split('.')[:2])}"


def measure_all(build: pathlib.Path, python: str, with_peers: bool = False) -> dict[str, dict[str, Count]]:
    """The counts of C++ under the compiler's name, those from Python with the version behind it; the latter also of
    the peers that `make bench` has built."""
    bench = build / "bench"
    version = subprocess.run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], check=True,
                             capture_output=True, text=True).stdout.strip()  # fmt: skip
    key = compiler(build)
    path = [bench / "counts", bench / "python", HERE.parent / "python", *([build / "peers"] if with_peers else [])]
    memory = str(bench / "cpp/isthmus_bench_memory")
    suspended = {"suspended": "isthmus", "suspended, any_coroutine": "any_coroutine"}
    sizes = {name: output([memory, what, "100000"], [])["allocated"] for name, what in suspended.items()}
    counted = [python, str(HERE / "counted.py")]
    return {
        key: measure([str(bench / "counts/isthmus_counts")], "isthmus_counts", []) | of_bytes(sizes),
        f"{key}, CPython {version}": measure(counted, "raw_bench", path) | of_bytes(output([*counted, "bytes"], path)),
    }


def recorded() -> dict[str, dict[str, dict[str, float]]]:
    """The record."""
    return tomllib.loads(RECORD.read_text()) if RECORD.exists() else {}


def ours(counts: dict[str, Count]) -> dict[str, Count]:
    """Without what is counted of native coroutines and of peers, for the report only."""
    others = ("|native", "|mypyc", "|cython", "|pyawaitable", "|pyo3")
    return {name: count for name, count in counts.items() if not name.endswith(others)}


def record(measured: dict[str, dict[str, Count]]) -> None:
    """Writes the record of what was measured, and keeps the others."""
    known = recorded()
    for key, counts in measured.items():
        known[key] = {name: count.recorded() for name, count in ours(counts).items()}
    lines = [HEADER]
    for key in sorted(known):
        lines.append(f'["{key}"]')
        for name, values in known[key].items():
            lines.append(f'"{name}" = {{ {", ".join(f"{what} = {value:g}" for what, value in values.items())} }}')
        lines.append("")
    RECORD.write_text("\n".join(lines))
    print(f"recorded in {RECORD.name}: {', '.join(measured)}")


def problems_of(measured: dict[str, dict[str, Count]]) -> list[str]:
    """What has become slower, or cannot be compared."""
    known = recorded()
    problems = []
    for key, counts in measured.items():
        if key not in known:
            problems.append(f"{key}: nothing is recorded; record it at the commit to compare with: make counts")
            continue
        for name in sorted(known[key].keys() ^ ours(counts).keys()):
            problems.append(f"{key}: {name}: in the record alone, or not in it: make counts")
        for name in sorted(known[key].keys() & ours(counts).keys()):
            for what, now in counts[name].recorded().items():
                before = known[key][name][what]
                if now > (before * TOLERANCE + 0.5 if what == "own" else before + 0.01):
                    problems.append(f"{key}: {name}: {now:g} {NAMES[what]}, {before:g} recorded")
    return problems


def main() -> None:
    """Measures, and compares, records or writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--record", action="store_true", help="the counts of now are what later ones are compared with")
    parser.add_argument("--json", type=pathlib.Path, help="write the counts there, and compare nothing")
    options = parser.parse_args()
    measured = measure_all(options.build.resolve(), options.python, with_peers=options.json is not None)
    if options.json:
        options.json.write_text(json.dumps({key: {name: asdict(count) for name, count in counts.items()}
                                            for key, counts in measured.items()}, indent=1))  # fmt: skip
        return
    if options.record:
        record(measured)
        return
    problems = problems_of(measured)
    for key, counts in measured.items():
        print(key)
        for name, count in ours(counts).items():
            print(f"  {name:<32} {count}")
    print("\n".join(problems) if problems else "none is above the record")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
