"""The program as its users see it: what it prints, and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
PROGRAM = Path(os.environ.get("ASIO_EMBED_PROGRAM", FOLDER.parents[1] / "build/demo/examples/asio/asio_embed"))


def embed(script: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix, "PYTHONPATH": ""}
    return subprocess.run(
        [str(PROGRAM), str(script)], capture_output=True, text=True, timeout=60, check=False, env=environment
    )


def run_text(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text("import asyncio, host\n" + text)
    return embed(script)


def test_a_server_and_its_clients() -> None:
    result = embed(FOLDER / "app.py")
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "HELLO",
        "FROM C++",
        "CLIENT 0, BYE",
        "CLIENT 1, BYE",
        "CLIENT 2, BYE",
        "main() returned the end",
    ]
    assert result.returncode == 0


def test_errors_cross_the_loops(tmp_path: Path) -> None:
    result = run_text(
        tmp_path,
        "async def fail():\n"
        "    await asyncio.sleep(0.001)\n"
        "    raise KeyError('far away')\n"
        "async def main():\n"
        "    try:\n"
        "        await host.in_asyncio(fail())\n"
        "    except KeyError as error:\n"
        "        print(error)\n"
        "    await host.connect(1)\n",
    )
    assert result.stdout == "'far away'\n"
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert any("in main" in line for line in lines)
    assert lines[-1] == "ConnectionRefusedError: [Errno 111] Connection refused"


def test_asyncios_futures_need_asyncio(tmp_path: Path) -> None:
    result = run_text(
        tmp_path,
        "class Nothing:\n"
        "    def __await__(self):\n"
        "        yield 1\n"
        "async def main():\n"
        "    try:\n"
        "        await Nothing()\n"
        "    except TypeError as error:\n"
        "        return error\n",
    )
    assert result.stdout == "main() returned this program cannot wait for that\n", result.stderr


def test_what_is_left_is_closed(tmp_path: Path) -> None:
    result = run_text(
        tmp_path,
        "async def answer(connection):\n"
        "    try:\n"
        "        await host.sleep(1000)\n"
        "    finally:\n"
        "        print('closed')\n"
        "async def forever():\n"
        "    await asyncio.sleep(1000)\n"
        "async def main():\n"
        "    await host.connect(host.serve(answer))\n"
        "    await host.sleep(0.01)\n"
        "    return 1\n",
    )
    assert sorted(result.stdout.splitlines()) == ["closed", "main() returned 1"], result.stderr
    assert result.stderr == ""
    assert result.returncode == 0
