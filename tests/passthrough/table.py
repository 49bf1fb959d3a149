"""The counts: as text, in results.json, and in the tables of docs/passthrough.md."""

import json
from pathlib import Path
from typing import TypeAlias

from expectations import Expectations
from modes import MODES

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
PAGE = HERE.parents[1] / "docs/passthrough.md"
BEGIN, END = "<!-- begin: {} -->\n", "<!-- end -->\n"

Rows: TypeAlias = dict[str, dict[str, int]]
Results: TypeAlias = dict[str, dict[str, Rows]]  # by full version, then by variant
WRAPPING = [mode for mode in MODES if mode != "none"]


def text(rows: Rows) -> str:
    columns = list(next(iter(rows.values())))
    width = max(map(len, rows)) + 2
    total = {column: sum(row[column] for row in rows.values()) for column in columns}
    lines = [" " * width + "".join(f"{column:>9}" for column in columns)]
    for suite, row in [*rows.items(), ("all", total)]:
        lines.append(f"{suite:<{width}}" + "".join(f"{row[column]:>9}" for column in columns))
    return "\n".join(lines)


def read() -> Results:
    results: Results = json.loads(RESULTS.read_text())
    return results


def of_version(results: Results, full: str) -> str | None:
    """The stored full version that has the same minor one."""
    return next((stored for stored in results if stored.split(".")[:2] == full.split(".")[:2]), None)


def counts(row: dict[str, int]) -> dict[str, int]:
    """How often something was wrapped may differ from run to run."""
    return {column: count for column, count in row.items() if column != "wrapped"}


def store(full: str, variant: str, rows: Rows) -> None:
    """Suites that were not run keep their counts, unless they are those of another patch release."""
    results = read() if RESULTS.exists() else {}
    old = of_version(results, full)
    if old is not None and old != full:
        del results[old]
    stored = results.setdefault(full, {}).setdefault(variant, {})
    for suite, row in rows.items():
        stored[suite] = {**stored.get(suite, {}), **counts(row)}
    ordered = dict(sorted(results.items(), key=lambda item: [int(part) for part in item[0].split(".")]))
    RESULTS.write_text(json.dumps(ordered, indent=1) + "\n")
    PAGE.write_text(page(ordered))


def differences(full: str, variant: str, rows: Rows) -> list[str]:
    """What does not agree with results.json, if that has counts of this very version; and whether the page is old."""
    results = read()
    stored = results.get(full, {}).get(variant, {})
    errors = []
    for suite, row in rows.items():
        if full in results and any(stored.get(suite, {}).get(column) != n for column, n in counts(row).items()):
            errors.append(f"{suite}: counted {counts(row)}, but results.json has {stored.get(suite)}")
    if PAGE.read_text() != page(results):
        errors.append("docs/passthrough.md is old: run `make passthrough`, or tests/passthrough/table.py")
    return errors


# ---- the page ------------------------------------------------------------------------------------


def page(results: Results) -> str:
    """docs/passthrough.md, with its tables made anew."""
    content = PAGE.read_text()
    for name, lines in [("totals", totals(results)), ("suites", by_suite(results)), ("lost", lost())]:
        before, begin, rest = content.partition(BEGIN.format(name))
        _, end, after = rest.partition(END)
        content = f"{before}{begin}" + "".join(line + "\n" for line in lines) + f"{end}{after}"
    return content


def row_of(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def ruler(columns: int, left: int) -> str:
    return "|" + "---|" * left + "---:|" * (columns - left)


VARIANT_NAMES = {
    "plain": "",
    "dev": "`-X dev`",
    "trace": "`sys.settrace`",
    "packages": "trio, anyio, uvloop",
}


def totals(results: Results) -> list[str]:
    lines = [row_of("CPython", "", "tests", *WRAPPING), ruler(3 + len(WRAPPING), 2)]
    for full, variants in results.items():
        for variant, rows in variants.items():
            cells: list[object] = []
            for column in ("tests", *WRAPPING):  # a mode that was not run everywhere has no sum
                measured = [row[column] for row in rows.values() if column in row]
                cells.append(sum(measured) if len(measured) == len(rows) else "")
            lines.append(row_of(full, VARIANT_NAMES[variant], *cells))
    return lines


def by_suite(results: Results) -> list[str]:
    lines = [row_of("", *results), ruler(1 + len(results), 1)]
    tables = [{**variants.get("plain", {}), **variants.get("packages", {})} for variants in results.values()]
    for suite in dict.fromkeys(suite for rows in tables for suite in rows):
        cells = []
        for rows in tables:
            row = rows.get(suite)
            gone = "/".join(str(row["tests"] - row[mode]) if mode in row else "?" for mode in WRAPPING) if row else ""
            cells.append(f"{row['tests']}: {gone}" if row else "")
        lines.append(row_of(suite, *cells))
    return lines


def lost() -> list[str]:
    lines = [row_of("tests", "lost in", "CPython", "why"), ruler(4, 4)]
    for entry in Expectations.read(HERE / "expectations.toml").entries:
        tests = "; ".join(f"{suite}: " + ", ".join(f"`{t}`" for t in tests) for suite, tests in entry.tests.items())
        lines.append(row_of(tests, ", ".join(entry.modes), ", ".join(entry.pythons), entry.reason))
    return lines


if __name__ == "__main__":
    PAGE.write_text(page(read()))
