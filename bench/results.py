"""What was measured, as results.json has it.

date, quick, machine  of the run that began it
added                 for each run with --add: these three, and `names`, those of the sets and counts it measured
skipped               why something was left out, by what it is and where: "pyo3, CPython 3.13"
sets                  by name, the unit and the rounds, each {"case|who": value}
counts                by compiler and CPython, {"case|who": instructions and allocations}
"""

from typing import Any

Results = dict[str, Any]


def add(before: Results, run: Results) -> Results:
    """`before` with what another run measured, on whatever system; what both have measured is that of `run`."""
    names = [*run["sets"], *run["counts"]]
    added = [{**each, "names": [name for name in each["names"] if name not in names]}
             for each in before.get("added", [])]  # fmt: skip
    added.append({"date": run["date"], "quick": run["quick"], "machine": run["machine"], "names": names})
    # What follows a peer's name in the reasons: "CPython 3.13", or "g++ 12.2.0", whose set is "C++, g++ 12.2.0".
    tried_anew = [f", {name.removeprefix('C++, ')}" for name in run["sets"]]
    tried_anew += [f"instructions and allocations, {name.rpartition(', ')[2]}" for name in run["counts"]]
    skipped = {name: why for name, why in before["skipped"].items() if not name.endswith(tuple(tried_anew))}
    return {
        **before,
        "added": [each for each in added if each["names"]],
        "skipped": skipped | run["skipped"],
        "sets": before["sets"] | run["sets"],
        "counts": before["counts"] | run["counts"],
    }


def runs(results: Results) -> dict[str, Results]:
    """Where and when, by what is said of it: the run that began it, and each that added to it."""
    added = {"; ".join(run["names"]): run for run in results.get("added", [])}
    return {"all else" if added else "": results, **added}
