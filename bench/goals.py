"""The goals: ratios that the report compares what was measured with."""

from dataclasses import dataclass

DEPTHS = (0, 1, 10, 100, 1_000, 1_000_000)


@dataclass(frozen=True)
class Goal:
    """`ours` to the least of `theirs`, each "case|who" of one set of measurements, is at most `limit`."""

    text: str
    measured_in: str  # how the set's name begins
    ours: str
    theirs: tuple[str, ...]
    limit: float
    absolute: bool = False  # the difference of the two is what is limited


def cpp_goals() -> list[Goal]:
    """Those of the core."""
    least, peers = ("send/0|least promise",), ("asio::awaitable", "asio coro", "Boost.Context")
    goals = [Goal(f"resume at depth {depth:,}, to the least promise", "C++", f"send/{depth}|isthmus", least, 1.6)
             for depth in DEPTHS]  # fmt: skip
    goals += [Goal(f"resume at depth {depth:,}, to depth 0", "C++", f"send/{depth}|isthmus", ("send/0|isthmus",), 1.1)
              for depth in DEPTHS[1:]]  # fmt: skip
    fastest = tuple(f"life|{peer}" for peer in peers)
    return [
        *goals,
        Goal("create, await, destroy, to the fastest C++ peer", "C++", "life|isthmus", fastest, 0.8),
        Goal("create, await, destroy in a shared library, to an executable", "C++", "life|isthmus, library",
             ("life|isthmus",), 1.1),
    ]  # fmt: skip


def python_goals() -> list[Goal]:
    """Those of the bridge."""
    goals = []
    immediate = {"3.11": (0.75, 0.75), "3.12": (0.95, 1.05), "3.13": (1.1, 1.3), "3.14": (1.2, 1.35)}
    for version, limits in immediate.items():
        for what, limit in zip(("None", "value"), limits, strict=True):
            case = f"immediate {what}"
            goals.append(Goal(f"Python awaits an {case}, to native", f"CPython {version}", f"{case}|isthmus",
                              (f"{case}|native",), limit))  # fmt: skip

    def everywhere(text: str, ours: str, theirs: str, limit: float) -> None:
        goals.append(Goal(text, "CPython", ours, (theirs,), limit))

    for peer, limit in (("mypyc", 1.0), ("cython", 0.7), ("pyawaitable", 0.7), ("pyo3", 0.35)):
        for what in ("None", "value"):
            case = f"immediate {what}"
            everywhere(f"Python awaits an {case}, to {peer}", f"{case}|isthmus", f"{case}|{peer}", limit)
    everywhere("C++ awaits C++, to mypyc's own", "awaits its own|isthmus", "awaits its own|mypyc", 0.5)
    everywhere("resume from Python at depth 500, to native", "resume/500|isthmus", "resume/500|native", 1 / 300)
    everywhere("Python → C++ → Python hop, to native", "hop|isthmus", "hop|native", 1.2)
    everywhere("create_task and await, to native", "create_task|isthmus", "create_task|native", 1.0)
    for depth, limit in ((10, 0.7), (100, 0.15)):
        everywhere(f"throw through {depth} nothrow frames by try_throw, to native",
                   f"throw/{depth}|C++, try_throw, nothrow frames", f"throw/{depth}|native", limit)  # fmt: skip
    for number in (100_000, 1_000_000):
        goals.append(Goal(f"memory of a suspended coroutine as Python object, {number:,} of them, to native",
                          "memory, CPython", f"/{number}|isthmus", (f"/{number}|native",), 0.6))  # fmt: skip
    for case, which in (("1", "the first"), ("each further one", "each further")):
        for what, name, limit in (("seconds", "compile time", 0.5), ("bytes", "code size", 10_240)):
            text = f"{what} ({name}) of {which} bound coroutine over a plain function"
            goals.append(Goal(text, name, f"{case}|coroutine", (f"{case}|function",), limit, absolute=True))
    return goals


GOALS = (*cpp_goals(), *python_goals())
