"""The soak test: random operations on several threads and loops, while their server is killed and started again.

Each part runs for its share of the time and balances its accounts: every operation ended once, nothing is pending, and
memory and descriptors are flat. Usage: run.py [--seconds 60] [--seed N] [--only NAME]
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests" / "soak"


class Server:
    """A process that is killed now and then."""

    def __init__(self, path: pathlib.Path, dice: random.Random) -> None:
        self.kills = 0
        self._command = [sys.executable, str(HERE / "server.py"), str(path)]
        self._dice = dice
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            process = subprocess.Popen(self._command)
            self._stop.wait(0.5 + self._dice.random())
            process.kill()
            process.wait()
            self.kills += 1
            self._stop.wait(self._dice.random() / 5)

    def stop(self) -> None:
        """Kills it for good."""
        self._stop.set()
        self._thread.join()


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


def parts() -> list[tuple[str, list[str], dict[str, str]]]:
    """What runs: a name, the command before the socket's path, and variables of the environment."""
    found: list[tuple[str, list[str], dict[str, str]]] = []
    for preset in ("gcc-asan", "clang-tsan"):
        program = ROOT / "build" / preset / "tests" / "soak" / "isthmus_soak"
        found.append((f"C++, {preset}", [str(program)], {}))
    python = ROOT / ".venv" / "default" / "bin" / "python"
    default = os.readlink(ROOT / ".venv" / "default")
    for build, extra in ((f"py-{default}", {}), (f"py-{default}-asan", sanitizers())):
        path = {"PYTHONPATH": str(ROOT / "build" / build / "tests" / "soak")}
        for loop in ("asyncio", "uvloop", "trio"):
            found.append((f"{loop}, {build}", [str(python), str(HERE / "soak.py"), loop], path | extra))
    return found


def main() -> int:
    """Runs all parts and prints what each of them tells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--only", default="", help="parts whose names contain this")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    dice = random.Random(options.seed)
    chosen = [part for part in parts() if options.only in part[0]]
    share = options.seconds / len(chosen)
    failed = []
    for name, command, variables in chosen:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "socket"
            server = Server(path, dice)
            start = time.monotonic()
            try:
                arguments = [str(path), str(max(2, round(share))), str(dice.randrange(1 << 30))]
                ended = subprocess.run(
                    [*command, *arguments], env=os.environ | variables, timeout=share * 3 + 120, check=False
                )
                status = str(ended.returncode)
            except subprocess.TimeoutExpired:
                status = "out of time"
            finally:
                server.stop()
        verdict = "ok" if status == "0" else f"FAILED ({status})"
        print(f"{name}: {verdict} after {time.monotonic() - start:.0f} s, {server.kills} kills", flush=True)
        if status != "0":
            failed.append(name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
