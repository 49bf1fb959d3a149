"""What the program runs: coroutines of Python's, which await those of C++."""

import host


async def greet(name: str, pause: float) -> str:
    await host.sleep(pause)
    return f"hello {name}"


async def unreliable(left: int) -> str:
    await host.sleep(0)
    if left > 1:
        raise ConnectionError(f"{left - 1} attempts are left")
    return "connected"


async def main() -> int:
    tasks = [host.spawn(greet(name, pause)) for name, pause in [("slow", 0.02), ("fast", 0.01)]]
    lines = 0
    while (line := await host.read_line()) is not None:
        print("read", line)
        lines += 1
    for task in tasks:
        print(await task)
    print(await host.retry(3, unreliable))
    return lines
