"""Runs what is measured, in rounds, and gives for each round what each case took: {"case|who": value}.

In a round everything is measured once, one after the other, so that a ratio compares what ran at nearly the same time.
"""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

import header_cost

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE / "python"))

import peers  # noqa: E402

Round = dict[str, float]


def say(text: str) -> None:
    """What is being done; it takes a while."""
    print(text, flush=True)


def output(command: list[str], **environment: str) -> str:
    """What a command prints."""
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def machine() -> dict[str, str]:
    """Where this is."""
    cpu = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    load = os.getloadavg()
    return {
        "processor": cpu[1] if cpu else platform.machine(),
        "processors": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGESIZE') / 2**30:.0f} GiB",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "kernel": platform.release(),
        "C library": " ".join(platform.libc_ver()),
        "load at the start": ", ".join(f"{value:.1f}" for value in load),
    }


def cpp(build: pathlib.Path, rounds: int, quick: bool) -> list[Round]:
    """The Google Benchmark program: each round is a process that measures all cases in random order."""
    command = [str(build / "bench/cpp/isthmus_bench_cpp"), "--benchmark_format=json"]
    command += ["--benchmark_enable_random_interleaving=true", f"--benchmark_repetitions={1 if quick else 3}"]
    command += [f"--benchmark_min_time={0.005 if quick else 0.02}"]
    measured = []
    for number in range(rounds):
        say(f"  round {number + 1} of {rounds}")
        times: dict[str, list[float]] = {}
        for run in json.loads(output(command))["benchmarks"]:
            if run["run_type"] == "iteration":
                name = run["run_name"].removesuffix("/manual_time")
                by_hand = name != run["run_name"]
                times.setdefault(name, []).append(run["real_time" if by_hand else "cpu_time"])
        measured.append({name: statistics.median(values) for name, values in times.items()})
    return measured


def cpp_memory(build: pathlib.Path, quick: bool) -> dict[str, list[Round]]:
    """Bytes of a suspended coroutine, by "number|what"."""
    program = str(build / "bench/cpp/isthmus_bench_memory")
    resident: Round = {}
    allocated: Round = {}
    for what in output([program]).splitlines():
        for number in (1_000, 10_000, 100_000, 1_000_000):
            if what == "Boost.Context" and number > 10_000:
                continue  # each has a mapping of its own, of which a process may have 65,530
            if quick and 10_000 < number < 1_000_000:
                continue
            usage = json.loads(output([program, what, str(number)]))
            resident[f"{number}|{what}"] = usage["resident"]
            allocated[f"{number}|{what}"] = usage["allocated"]
    return {"resident": [resident], "allocated by malloc": [allocated]}


class Python:
    """One CPython, and the modules that were built for it."""

    def __init__(self, python: str, build: pathlib.Path, with_peers: bool) -> None:
        self.python, self.build = python, build
        self.version = peers.ask(python, "import platform; print(platform.python_version())")
        self.name = f"CPython {'.'.join(self.version.split('.')[:2])}"
        folder = build / "peers"
        self.names, self.skipped = list(peers.MODULES), dict[str, str]()
        if with_peers:
            say(f"{self.name}: building what it is compared with")
            self.names, self.skipped = peers.build(python, folder)
        path = [HERE / "python", build / "bench/python", folder]
        self.environment = {"PYTHONPATH": os.pathsep.join(map(str, path))}

    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of a case and an implementation that work; why the others do not is added to `skipped`."""
        code = f"import cases, json; print(json.dumps(cases.pairs_of({self.names!r})))"
        all_pairs = output([self.python, "-c", code], **self.environment)
        program = [self.python, str(HERE / "python/cases.py"), "--check"]
        failed = json.loads(output(program, BENCH_PAIRS=all_pairs, **self.environment))
        self.skipped |= failed
        for name, why in failed.items():
            say(f"  without {name}: {why}")
        return [(case, who) for case, who in json.loads(all_pairs) if f"{case}|{who}" not in failed]

    def measure(self, rounds: int, quick: bool) -> list[Round]:
        """Each round is a run of pyperf; each measurement in it has a process of its own."""
        pairs = self.pairs()
        program = [self.python, str(HERE / "python/cases.py"), "--processes=1", "--loops=1", "--warmups=1", "--quiet"]
        program += [f"--values={1 if quick else 3}", "--inherit-environ=PYTHONPATH,BENCH_PAIRS"]
        measured = []
        raw = self.build / "pyperf"
        raw.mkdir(exist_ok=True)
        for number in range(rounds):
            say(f"  {self.name}: round {number + 1} of {rounds}")
            file = raw / f"round-{number + 1}.json"
            file.unlink(missing_ok=True)
            # Every second round goes backwards, so that what is measured first is not always the same.
            order = json.dumps(pairs if number % 2 == 0 else pairs[::-1])
            output([*program, f"--output={file}"], BENCH_PAIRS=order, **self.environment)
            measured.append(self.read(file))
        return measured

    def read(self, file: pathlib.Path) -> Round:
        """Nanoseconds, the medians of a file that pyperf wrote."""
        times = {}
        for benchmark in json.loads(file.read_text())["benchmarks"]:
            values = [value for run in benchmark["runs"] for value in run.get("values", [])]
            times[benchmark["metadata"]["name"]] = statistics.median(values) * 1e9
        return times

    def memory(self, quick: bool) -> list[Round]:
        """Resident bytes of a suspended coroutine, by "number|who"."""
        bytes_of: Round = {}
        for who in ("native", "isthmus", "isthmus, by itself", "cython", "mypyc"):
            for number in (1_000, 10_000, 100_000, 1_000_000)[: 3 if quick else 4]:
                if who.partition(", ")[0] in self.names:
                    program = [self.python, str(HERE / "python/memory.py"), who, str(number)]
                    bytes_of[f"{number}|{who}"] = float(output(program, **self.environment))
        return [bytes_of]

    def counts(self) -> dict[str, dict[str, dict[str, float]]]:
        """Instructions and allocations, by callgrind."""
        file = self.build / "counts.json"
        output([self.python, str(HERE / "counts/run.py"), f"--build={self.build}", f"--json={file}"])
        counts: dict[str, dict[str, dict[str, float]]] = json.loads(file.read_text())
        return counts

    def completions(self, quick: bool) -> list[Round]:
        """Results of C++ threads, brought to event loops: microseconds."""
        file = self.build / "completions.json"
        program = [self.python, str(HERE / "python/completions.py"), f"--build={self.build}", f"--json={file}"]
        output([*program, f"--items={20_000 if quick else 200_000}"], **self.environment)
        rounds: list[Round] = json.loads(file.read_text())
        return rounds

    def header_cost(self, compiler: str, rounds: int) -> tuple[list[Round], ...]:
        """Seconds and bytes that binding costs."""
        ask = "import nanobind, sysconfig; print(sysconfig.get_path('include')); print(nanobind.include_dir())"
        includes = [str(ROOT / "include"), *peers.ask(self.python, ask).splitlines()]
        return header_cost.measure(compiler, includes, self.build / "header_cost", rounds)
