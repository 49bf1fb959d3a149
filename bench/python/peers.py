"""Builds what Isthmus is compared with from Python. What cannot be built is left out, with the reason."""

import os
import pathlib
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Mapping

HERE = pathlib.Path(__file__).resolve().parent

# The functions of python_coroutines.py that each offers.
ALL = frozenset({"immediate_none", "immediate_value", "awaits_own", "awaits_python", "pass_through", "nested"})
MODULES = {"native": "python_coroutines", "isthmus": "raw_bench", "isthmus, nanobind": "nb_bench"}
MODULES["isthmus, METH_NOARGS"] = "raw_noargs"
MODULES |= {name: f"{name}_peer" for name in ("cython", "mypyc", "pyo3", "pyawaitable", "greenlet", "asynkit")}
OFFERS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("native", "isthmus", "isthmus, nanobind", "cython", "mypyc"), ALL),
    "isthmus, METH_NOARGS": frozenset({"immediate_none", "immediate_value"}),
    "pyo3": frozenset({"immediate_none", "immediate_value", "awaits_own", "nested"}),
    "pyawaitable": frozenset({"immediate_none", "immediate_value", "pass_through"}),
    "asynkit": frozenset({"immediate_none", "immediate_value"}),
    "greenlet": frozenset({"nested"}),
}


def run(command: list[str], folder: pathlib.Path, **environment: str) -> None:
    """Runs a build command; what it says is raised if it fails."""
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        raise RuntimeError((errors or lines or [f"{command[0]} failed"])[0].strip()[:200])


def ask(python: str, code: str) -> str:
    """What an interpreter prints."""
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return done.stdout.strip()


def compile_c(python: str, source: pathlib.Path, folder: pathlib.Path, *flags: str) -> None:
    """An extension module of one C file, with the optimisation that ours have."""
    include = ask(python, "import sysconfig; print(sysconfig.get_path('include'))")
    compiler = sysconfig.get_config_var("CC").split()[0] if shutil.which("gcc") is None else "gcc"
    target = folder / f"{source.stem}.so"
    command = [compiler, "-O2", "-DNDEBUG", "-fPIC", "-shared", f"-I{include}", *flags, str(source), "-o", str(target)]
    run(command, folder)


def build_cython(python: str, folder: pathlib.Path) -> None:
    """python_coroutines.py, compiled by Cython."""
    sources = folder / "cython"
    sources.mkdir(exist_ok=True)
    shutil.copy(HERE / "python_coroutines.py", sources / "cython_peer.py")
    run([python, "-m", "cython", "-3", "cython_peer.py"], sources)
    compile_c(python, sources / "cython_peer.c", folder)


def build_mypyc(python: str, folder: pathlib.Path) -> None:
    """python_coroutines.py, compiled by mypyc."""
    shutil.copy(HERE / "python_coroutines.py", folder / "mypyc_peer.py")
    run([python, "-m", "mypyc", "mypyc_peer.py"], folder, MYPYPATH="")
    (folder / "mypyc_peer.py").unlink()  # or a failed build would be taken for a module


def build_pyawaitable(python: str, folder: pathlib.Path) -> None:
    """The C file, with the header that the package brings."""
    include = ask(python, "import pyawaitable; print(pyawaitable.include())")
    compile_c(python, HERE / "pyawaitable_peer.c", folder, f"-I{include}")


def build_pyo3(python: str, folder: pathlib.Path) -> None:
    """The crate in pyo3/."""
    if shutil.which("cargo") is None:
        raise RuntimeError("cargo is not installed")
    target = folder / "pyo3"
    command = ["cargo", "build", "--quiet", "--release", "--locked", f"--target-dir={target}"]
    run(command, HERE / "pyo3", PYO3_PYTHON=python)
    shutil.copy(target / "release" / "libpyo3_peer.so", folder / "pyo3_peer.so")


def check_import(name: str) -> Callable[[str, pathlib.Path], None]:
    """For what is Python, and needs no building."""

    def check(python: str, folder: pathlib.Path) -> None:
        ask(python, f"import {name}")

    return check


BUILDERS: Mapping[str, Callable[[str, pathlib.Path], None]] = {
    "cython": build_cython,
    "mypyc": build_mypyc,
    "pyo3": build_pyo3,
    "pyawaitable": build_pyawaitable,
    "greenlet": check_import("greenlet"),
    "asynkit": check_import("asynkit"),
}


def build(python: str, folder: pathlib.Path) -> tuple[list[str], dict[str, str]]:
    """The names of those that can be measured with this interpreter, and why the others cannot."""
    folder.mkdir(parents=True, exist_ok=True)
    skipped = {}
    for name, build_one in BUILDERS.items():
        try:
            build_one(python, folder)
        except (RuntimeError, OSError) as problem:
            skipped[name] = str(problem)
            print(f"without {name}: {problem}", flush=True)
    return [name for name in MODULES if name not in skipped], skipped
