"""The soak test: random operations on several threads and loops, while their server is killed and started again.

Each part runs for its share of the time and balances its accounts: every operation ended once, nothing is pending, and
memory, descriptors and the processes of the PostgreSQL server are flat. A part whose library is not installed is left
out, and named. Usage: run.py [--seconds 60] [--seed N] [--only NAME]
"""

import argparse
import contextlib
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Self

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests" / "soak"
STARTING = 1.5  # seconds that a part takes beside its rounds
LEFT_OUT = 77  # the status of a program that was built without what it needs

sys.path.insert(0, str(ROOT / "examples" / "postgres"))
import server  # noqa: E402


class KilledNowAndThen:
    """A server that lives for a second or so, again and again, from `with` to its end."""

    def __init__(self, start: Callable[[], object], kill: Callable[[], object], dice: random.Random) -> None:
        self.kills = 0
        self._start = start
        self._kill = kill
        self._dice = dice
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._start()
            self._stop.wait(0.5 + self._dice.random())
            self._kill()
            self.kills += 1
            self._stop.wait(self._dice.random() / 5)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


class EchoServer:
    """tests/soak/echo_server.py on a socket in a temporary folder."""

    def __init__(self, folder: str) -> None:
        self.address = str(pathlib.Path(folder) / "socket")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns before it is there: to connect may fail."""
        self._process = subprocess.Popen([sys.executable, str(HERE / "echo_server.py"), self.address])

    def kill(self) -> None:
        """Ends it at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


def sanitizers() -> dict[str, str]:
    """As in tests/python/run: the runtimes come first in the process."""

    def library(name: str) -> str:
        command = ["g++", f"-print-file-name={name}"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    return {
        "LD_PRELOAD": f"{library('libasan.so')} {library('libstdc++.so')}",
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
    }


class Part(NamedTuple):
    """What runs: its name, the command before the server's address, and variables of the environment."""

    name: str
    kind: str
    command: list[str]
    variables: dict[str, str]


def parts() -> list[Part]:
    """Each kind of operations, in C++ and in Python, and under the sanitizers; the plain ones under each loop."""
    found: list[Part] = []
    for kind in ("plain", "asio", "postgres"):
        for preset in ("gcc-asan", "clang-tsan"):
            program = ROOT / "build" / preset / "tests" / "soak" / "isthmus_soak"
            found.append(Part(f"{kind}, C++, {preset}", kind, [str(program), kind], {}))
    python = ROOT / ".venv" / "default" / "bin" / "python"
    default = os.readlink(ROOT / ".venv" / "default")
    everywhere = ("asyncio", "uvloop", "trio")
    for build, extra, others in ((f"py-{default}", {}, "trio"), (f"py-{default}-asan", sanitizers(), "asyncio")):
        path = {"PYTHONPATH": str(ROOT / "build" / build / "tests" / "soak")}
        for kind, loops in (("plain", everywhere), ("asio", (others,)), ("postgres", (others,))):
            for loop in loops:
                command = [str(python), str(HERE / "soak.py"), loop, kind]
                found.append(Part(f"{kind}, {loop}, {build}", kind, command, path | extra))
    return found


def run_part(part: Part, share: float, dice: random.Random, postgres: server.Server | None) -> str:
    """Runs it with its server, and says what came of it: what is not "ok" or "left out" is a failure."""
    if part.kind == "postgres" and postgres is None:
        return "left out, as PostgreSQL is not installed"
    with tempfile.TemporaryDirectory() as folder:
        if part.kind == "postgres" and postgres is not None:
            address, start, kill = postgres.dsn, postgres.start, postgres.kill
        else:
            echo = EchoServer(folder)
            address, start, kill = echo.address, echo.start, echo.kill
        begun = time.monotonic()
        with KilledNowAndThen(start, kill, dice) as served:
            time_of_rounds = max(0.5, share - STARTING)
            arguments = [address, f"{time_of_rounds:.1f}", str(dice.randrange(1 << 30))]
            try:
                environment = os.environ | part.variables
                run = [*part.command, *arguments]
                status = subprocess.run(run, env=environment, timeout=share * 3 + 60, check=False).returncode
            except subprocess.TimeoutExpired:
                return "FAILED (out of time)"
        if status == LEFT_OUT:
            return "left out, as it was built without what it needs"
        after = f"after {time.monotonic() - begun:.0f} s, {served.kills} kills"
        return f"ok {after}" if status == 0 else f"FAILED ({status}) {after}"


def main() -> int:
    """Runs all parts and prints what each of them tells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--only", default="", help="parts whose names contain this")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    dice = random.Random(options.seed)
    chosen = [part for part in parts() if options.only in part.name]
    failed = 0
    with contextlib.ExitStack() as stack:
        postgres = None
        if any(part.kind == "postgres" for part in chosen) and server.is_installed():
            postgres = stack.enter_context(server.Server())
            postgres.kill()
        end = time.monotonic() + options.seconds
        for i, part in enumerate(chosen):
            share = max(0.0, end - time.monotonic()) / (len(chosen) - i)
            verdict = run_part(part, share, dice, postgres)
            print(f"{part.name}: {verdict}", flush=True)
            failed += verdict.startswith("FAILED")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
