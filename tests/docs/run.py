"""Compiles and runs every fenced code block of *.md, docs/**/*.md and examples/sansio/*.md, so that none can rot.

``cpp``             is compiled with our warnings as errors, and run if it has a ``main``. A block with NB_MODULE or
                    PYBIND11_MODULE becomes an extension module for the ``python`` blocks of the same file. One with
                    Py_Initialize embeds Python.
``python``          is run.
``console``, ``sh`` must consist of commands that are known here; a make target must exist.
``cmake``           each line must stand in a CMakeLists.txt of tests/installed, which is built by that suite.
``toml``, ``json``  must parse.
``text``            is no code; it can be checked as the output of the block before.

A comment on the line before a block changes that:
    <!-- test: continues -->     the block is appended to the one before, and both are one program
    <!-- test: compile-only -->  the program is not run
    <!-- test: output -->        this ``text`` is what the block before must print; its folder's name is cut from paths
A comment that is nothing but a file's name, as the first line of a block, names the block's file.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "docs"
EXAMPLES = [ROOT / "examples/sansio/README.md"]
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
CPP = ["-std=c++20", *WARNINGS, f"-I{ROOT / 'include'}"]
MODULE = re.compile(r"^(NB_MODULE|PYBIND11_MODULE)\((\w+),", re.MULTILINE)
MAIN = re.compile(r"^int main\(", re.MULTILINE)
FILE_NAME = re.compile(r"(?://|#) (\w+)\.(?:cpp|py)\n")
DIRECTIVE = re.compile(r"<!-- test: (continues|compile-only|output) -->")
COMMANDS = ("apt-get install ", "build/", "cd ", "cmake ", "git clone ", "pip install ", "python ", "tests/", "tools/")


@dataclass
class Block:
    path: Path
    line: int
    language: str
    text: str
    run: bool = True
    output: str | None = None

    @property
    def title(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"

    @property
    def folder(self) -> Path:
        return BUILD / str(self.path.relative_to(ROOT)).replace("/", "_")

    @property
    def file(self) -> Path:
        name = FILE_NAME.match(self.text)
        return self.folder / (name[1] if name else f"line_{self.line}")


class Problem(Exception):
    """What is wrong with a block, or with the Markdown around it."""


def blocks_of(path: Path) -> list[Block]:
    blocks: list[Block] = []
    lines = path.read_text().splitlines()
    previous = ""
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if not line.startswith("```"):
            previous = line.strip() or previous
            continue
        start = number
        while number < len(lines) and lines[number] != "```":
            number += 1
        if number == len(lines):
            raise Problem(f"{path.relative_to(ROOT)}:{start}: the block has no end")
        block = Block(path, start, line[3:].strip(), "\n".join(lines[start:number]) + "\n")
        number += 1
        directive = DIRECTIVE.fullmatch(previous)
        kind = directive[1] if directive else ""
        previous = ""
        if kind in ("continues", "output") and not blocks:
            raise Problem(f"{block.title}: there is no block before")
        if kind == "continues":
            if blocks[-1].language != block.language:
                raise Problem(f"{block.title}: continues a block of another language")
            blocks[-1].text += "\n" + block.text
        elif kind == "output":
            blocks[-1].output = block.text
        else:
            block.run = kind != "compile-only"
            blocks.append(block)
    return blocks


def execute(command: list[str | Path], **environment: str) -> str:
    result = subprocess.run(
        command,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    if result.returncode:
        raise Problem(f"exit code {result.returncode} from {' '.join(map(str, command))}\n{result.stdout}")
    return result.stdout


def system_includes(*folders: str | Path) -> list[str | Path]:
    return [argument for folder in folders for argument in ("-isystem", folder)]


def nanobind_object(compiler: str) -> Path:
    """nanobind's own part of every extension, compiled once."""
    import nanobind

    target = BUILD / f"nanobind-{nanobind.__version__}-{sysconfig.get_config_var('SOABI')}.o"
    if not target.exists():
        source = Path(nanobind.source_dir())
        includes = system_includes(
            sysconfig.get_path("include"), nanobind.include_dir(), source.parent / "ext/robin_map/include"
        )
        flags = ["-std=c++20", "-O1", "-fPIC", "-fvisibility=hidden", "-fno-strict-aliasing"]
        execute([compiler, *flags, *includes, "-c", source / "nb_combined.cpp", "-o", target])
    return target


def build_module(block: Block, compiler: str, library: str, module: str) -> None:
    import nanobind
    import pybind11

    includes = system_includes(sysconfig.get_path("include"), nanobind.include_dir(), pybind11.get_include())
    flags = ["-fPIC", "-shared", "-fvisibility=hidden"]
    objects = [nanobind_object(compiler)] if library == "NB_MODULE" else []
    target = block.folder / (module + sysconfig.get_config_var("EXT_SUFFIX"))
    execute([compiler, *CPP, *flags, *includes, block.file.with_suffix(".cpp"), *objects, "-o", target])


def embedding() -> list[str | Path]:
    """What a program with a Python in it is compiled and linked with."""
    folder, version = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDVERSION")
    return [
        *system_includes(sysconfig.get_path("include")),
        f"-L{folder}",
        f"-Wl,-rpath,{folder}",
        f"-lpython{version}",
    ]


def check_cpp(block: Block, compiler: str) -> str:
    source = block.file.with_suffix(".cpp")
    source.write_text(block.text)
    if module := MODULE.search(block.text):
        build_module(block, compiler, module[1], module[2])
    elif MAIN.search(block.text):
        python = embedding() if "Py_Initialize" in block.text else []
        execute([compiler, *CPP, f"-I{block.path.parent}", source, *python, "-o", block.file])
        if block.run:
            return execute([block.file])
    else:
        execute([compiler, *CPP, f"-I{block.path.parent}", "-fsyntax-only", source])
    return ""


def check_python(block: Block) -> str:
    source = block.file.with_suffix(".py")
    source.write_text(block.text)
    if block.run:
        return execute([sys.executable, source], PYTHONPATH=str(block.folder)).replace(f"{block.folder}/", "")
    compile(block.text, str(source), "exec")
    return ""


def check_commands(block: Block) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in block.text.splitlines():
        if block.language == "console" and not line.startswith("$ "):
            continue  # what a command prints
        command = line.removeprefix("$ ").partition("  #")[0].strip()
        if not command or command.startswith("#"):
            continue
        if command.startswith("make "):
            if command.split()[1] not in targets:
                raise Problem(f"no such make target: {command}")
        elif not re.sub(r"^(\w+=\S+ )+", "", command).startswith(COMMANDS):
            raise Problem(f"unknown command: {command}")


def check_cmake(block: Block) -> None:
    built = "\n".join(path.read_text() for path in ROOT.glob("tests/installed/*/CMakeLists.txt"))
    known = {line.strip() for line in built.splitlines()}
    for line in block.text.splitlines():
        if line.strip() not in known | {""}:
            raise Problem(f"not in any CMakeLists.txt of tests/installed: {line.strip()}")


def check(block: Block, compiler: str) -> None:
    printed = ""
    match block.language:
        case "cpp":
            printed = check_cpp(block, compiler)
        case "python":
            printed = check_python(block)
        case "console" | "sh":
            check_commands(block)
        case "cmake":
            check_cmake(block)
        case "toml":
            tomllib.loads(block.text)
        case "json":
            json.loads(block.text)
        case "text":
            pass
        case other:
            raise Problem(f"a block of language {other!r}: nothing here can check that")
    if block.output is not None and printed.strip() != block.output.strip():
        raise Problem(f"should print\n{block.output}\nand prints\n{printed}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="default: all of them")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    files = [path.resolve() for path in options.files]
    files = files or [
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "examples/sansio/README.md",
    ]

    blocks = [block for path in files for block in blocks_of(path)]
    for block in blocks:
        block.folder.mkdir(parents=True, exist_ok=True)
    if any("NB_MODULE" in block.text for block in blocks):
        nanobind_object(options.compiler)

    def problem_with(block: Block) -> str | None:
        try:
            check(block, options.compiler)
        except (Problem, SyntaxError, ValueError, subprocess.TimeoutExpired) as error:
            return str(error)
        return None

    # A python block may import any module of its file, so all modules are built before the first of them runs.
    with ThreadPoolExecutor(options.jobs) as pool:
        problems: dict[str, str | None] = {}
        for python in (False, True):
            group = [block for block in blocks if (block.language == "python") == python]
            problems |= dict(zip((block.title for block in group), pool.map(problem_with, group), strict=True))
    for title, problem in problems.items():
        print(f"{title}: {problem or 'ok'}")
    failed = sum(problem is not None for problem in problems.values())
    print(f"code blocks: {len(problems) - failed} passed, {failed} failed")
    return 1 if failed or not problems else 0


if __name__ == "__main__":
    sys.exit(main())
