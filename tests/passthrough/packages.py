"""The tests that other packages ship: in their wheels, or in their source distributions."""

import hashlib
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build/passthrough"
REQUIREMENTS = HERE / "requirements.txt"


@dataclass(frozen=True)
class Package:
    name: str
    tests: list[str]
    options: list[str]  # of pytest
    in_wheel: bool = False


TRIO = [
    *(
        f"_core/_tests/test_{name}.py"
        for name in (
            "asyncgen cancelled guest_mode instrumentation ki local mock_clock parking_lot run tutil unbounded_queue"
        ).split()
    ),
    *(
        f"_tests/test_{name}.py"
        for name in (
            "abc channel contextvars highlevel_generic scheduler_determinism signals sync testing threads timeouts util"
        ).split()
    ),
]
ANYIO = (
    "concurrency_utils contextmanagers debugging eventloop from_thread functools futures itertools lowlevel "
    "synchronization taskgroups to_thread"
).split()
UVLOOP = "base context executors pipes process runner signals sockets tcp udp unix".split()
NO_CONFIGURATION = ["-c/dev/null", "-ppytest_timeout"]

PACKAGES = [
    Package("trio", TRIO, [*NO_CONFIGURATION, "-ptrio._tests.pytest_plugin", "--import-mode=importlib"], in_wheel=True),
    Package("anyio", [*(f"tests/test_{name}.py" for name in ANYIO), "tests/streams"], []),
    Package("uvloop", [f"tests/test_{name}.py" for name in UVLOOP], NO_CONFIGURATION),
]


def versions() -> dict[str, str]:
    """Of the packages that requirements.txt pins."""
    lines = (line.partition("==") for line in REQUIREMENTS.read_text().splitlines())
    return {name: version for name, _, version in lines if version}


def environment(python: Path, version: str) -> Path:
    """The interpreter of a virtual environment that has what the tests need."""
    place = BUILD / f"venv-{version}"
    made = place / "bin/python"
    stamp = place / "stamp"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([str(python), "-m", "venv", str(place)], check=True)
        subprocess.run([str(made), "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS)], check=True)
        stamp.write_text(wanted)
    return made


def directory(package: Package, python: Path) -> Path:
    """Where the tests of a package are. They are unpacked if need be."""
    if package.in_wheel:
        code = f"import {package.name}; print({package.name}.__path__[0])"
        command = [str(python), "-c", code]
        return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    named = f"{package.name}-{versions()[package.name]}"
    unpacked = BUILD / named
    if not (unpacked / "tests").exists():
        command = [str(python), "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation"]
        command += ["--no-binary=:all:", f"--dest={BUILD}", f"{package.name}=={versions()[package.name]}"]
        subprocess.run(command, check=True)
        with tarfile.open(BUILD / f"{named}.tar.gz") as archive:
            # Not the package itself, which would hide the installed one.
            wanted = [m for m in archive if m.name.startswith(f"{named}/tests/") or m.name == f"{named}/pyproject.toml"]
            archive.extractall(BUILD, wanted, filter="data")
    return unpacked


def commands(python: Path, version: str) -> Iterator[tuple[str, list[str], Path]]:
    """The name of each package, what runs its tests, and where."""
    interpreter = environment(python, version)
    for package in PACKAGES:
        place = directory(package, interpreter)
        # -P: trio has a module `socket`.
        command = [str(interpreter), "-P", "-m", "pytest", "-q", "-ppytest_plugin", "-pno:cacheprovider"]
        command += ["--timeout=60", f"--rootdir={place}", *package.options]
        command += [str(place / test) for test in package.tests]
        yield package.name, command, place
