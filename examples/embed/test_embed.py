"""The program as its users see it: what it prints, and how it ends."""

import os
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
PROGRAM = Path(os.environ.get("EMBED_PROGRAM", FOLDER.parents[1] / "build/demo/examples/embed/embed"))


def embed(script: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix, "PYTHONPATH": ""}
    return subprocess.run(
        [str(PROGRAM), str(script)],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )


def run_text(tmp_path: Path, text: str, given: str = "") -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(text)
    return embed(script, given)


def test_both_directions() -> None:
    result = embed(FOLDER / "app.py", "one\ntwo\n")
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "read one",
        "read two",
        "hello slow",
        "hello fast",
        "connected",
        "main() returned 2",
    ]
    assert result.returncode == 0


def test_tasks_run_beside_each_other(tmp_path: Path) -> None:
    start = time.monotonic()
    result = run_text(
        tmp_path,
        "import host\n"
        "async def main():\n"
        "    order = []\n"
        "    async def wait(pause):\n"
        "        await host.sleep(pause)\n"
        "        order.append(pause)\n"
        "    for task in [host.spawn(wait(n / 10)) for n in (3, 1, 2)]:\n"
        "        await task\n"
        "    return order\n",
    )
    assert result.stdout == "main() returned [0.1, 0.2, 0.3]\n", result.stderr
    assert time.monotonic() - start < 5


def test_an_error_is_printed_with_its_traceback(tmp_path: Path) -> None:
    result = run_text(
        tmp_path,
        "import host\n"
        "async def fail(left):\n"
        "    raise OSError(f'attempt {left}')\n"
        "async def main():\n"
        "    await host.spawn(host.retry(2, fail))\n",
    )
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert any("in main" in line for line in lines)
    assert any("in fail" in line for line in lines)
    assert lines[-1] == "OSError: attempt 1"


def test_what_the_loop_cannot_wait_for(tmp_path: Path) -> None:
    result = run_text(
        tmp_path,
        "import asyncio\n"
        "class Nothing:\n"
        "    def __await__(self):\n"
        "        yield 1\n"
        "async def main():\n"
        "    try:\n"
        "        await Nothing()\n"
        "    except TypeError as e:\n"
        "        return e\n",
    )
    assert result.stdout == "main() returned this loop cannot wait for that\n", result.stderr


def test_main_must_be_awaitable(tmp_path: Path) -> None:
    result = run_text(tmp_path, "def main():\n    return 1\n")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("TypeError:")


def test_tasks_that_are_left_are_closed(tmp_path: Path) -> None:
    result = run_text(
        tmp_path,
        "import host\n"
        "async def forever():\n"
        "    try:\n"
        "        await host.sleep(1000)\n"
        "    finally:\n"
        "        print('closed')\n"
        "async def main():\n"
        "    host.spawn(forever())\n"
        "    await host.sleep(0)\n"
        "    await host.sleep(0)\n",
    )
    assert result.stdout.splitlines() == ["closed", "main() returned None"], result.stderr
    assert result.stderr == ""
