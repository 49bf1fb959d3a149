"""The data of the demo: the codes of countries, languages, currencies and scripts, and the time zones of the world, as
Debian's packages iso-codes and tzdata have them.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = tuple[str | float | None, ...]


@dataclass
class Table:
    name: str
    columns: str
    rows: list[Row]

    @property
    def create(self) -> str:
        return f"CREATE TABLE {self.name} ({self.columns})"

    @property
    def insert(self) -> str:
        return f"INSERT INTO {self.name} VALUES ({', '.join('?' * len(self.rows[0]))})"


def shared(file: str, package: str) -> Path:
    """Where `file` is among the shared data of this machine."""
    folders = os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")
    for folder in [*folders, "/usr/share", "/opt/homebrew/share", f"{sys.prefix}/share"]:
        path = Path(folder) / file
        if path.is_file():
            return path
    raise SystemExit(f"This demo needs {Path(file).name}: install it with `apt-get install {package}`.")


def entries(standard: str) -> list[dict[str, Any]]:
    path = shared(f"iso-codes/json/iso_{standard}.json", "iso-codes")
    found: list[dict[str, Any]] = json.loads(path.read_text())[standard]
    return found


def rows(standard: str, *keys: str) -> list[Row]:
    return [tuple(entry.get(key) for key in keys) for entry in entries(standard)]


def degrees(text: str) -> float:
    """+DDMM, +DDDMM, +DDMMSS or +DDDMMSS, as zone1970.tab has them."""
    length = 2 if len(text) in (5, 7) else 3
    whole, minutes, seconds = text[1 : 1 + length], text[1 + length : 3 + length], text[3 + length :] or "0"
    return (-1 if text[0] == "-" else 1) * (int(whole) + int(minutes) / 60 + int(seconds) / 3600)


def zones() -> Iterator[Row]:
    for line in shared("zoneinfo/zone1970.tab", "tzdata").read_text().splitlines():
        if not line.startswith("#"):
            countries, coordinates, name, *comments = line.split("\t")
            latitude, longitude = re.findall(r"[+-]\d+", coordinates)
            for country in countries.split(","):
                yield name, country, degrees(latitude), degrees(longitude), comments[0] if comments else None


def load() -> list[Table]:
    divisions: list[Row] = [(code, str(code)[:2], *rest) for code, *rest in rows("3166-2", "code", "name", "type")]
    return [
        Table("country", "code PRIMARY KEY, name, flag", rows("3166-1", "alpha_2", "name", "flag")),
        Table("division", "code PRIMARY KEY, country REFERENCES country, name, type", divisions),
        Table("language", "code PRIMARY KEY, name, scope, type", rows("639-3", "alpha_3", "name", "scope", "type")),
        Table("currency", "code PRIMARY KEY, name", rows("4217", "alpha_3", "name")),
        Table("script", "code PRIMARY KEY, name", rows("15924", "alpha_4", "name")),
        Table("zone", "name, country REFERENCES country, latitude REAL, longitude REAL, comment", list(zones())),
    ]
