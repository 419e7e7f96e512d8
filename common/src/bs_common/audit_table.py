"""An audit log for people and for their spreadsheets: rows, CSV, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bs_common.audit import Chain, Entry
from bs_common.errors import ConfigError
from bs_common.files import write_atomic

SHOWN = ("time", "peer", "way", "message", "round", "keys", "bytes", "sha-256", "verdict")
_EXPORTED = (
    "time",
    "peer",
    "direction",
    "message_type",
    "round_number",
    "keys",
    "size_bytes",
    "content_sha256",
    "verdict",
    "count",
    "previous",
)


def row(entry: Entry) -> tuple[str, ...]:
    """Give one entry in the columns `SHOWN`; a line that stands for several says how many."""
    keys = entry["keys"]
    number = entry["round_number"]
    times = f" x{entry['count']}" if entry["count"] != 1 else ""
    return (
        str(entry["time"])[:19].replace("T", " "),
        str(entry["peer"]),
        str(entry["direction"]),
        str(entry["message_type"]),
        "" if number == -1 else str(number),
        str(len(keys)) if isinstance(keys, list) else "",
        str(entry["size_bytes"]),
        str(entry["content_sha256"])[:12],
        f"{entry['verdict']}{times}",
    )


def export(chain: Chain, path: Path) -> None:
    """Write a verified log as CSV or JSON, by the ending of `path`.

    Raises ConfigError for another ending.
    """
    writers = {".csv": _csv, ".json": _json}
    if path.suffix not in writers:
        raise ConfigError(
            f"{path.name}: not a .csv or .json file",
            remedy="Give a name with one of these endings: --export audit.csv",
        )
    write_atomic(path, writers[path.suffix](chain).encode(), mode=0o600)


def _csv(chain: Chain) -> str:
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(_EXPORTED)
    writer.writerows([_cell(entry[name]) for name in _EXPORTED] for entry in chain.entries)
    return table.getvalue()


def _json(chain: Chain) -> str:
    entries: Sequence[Mapping[str, object]] = chain.entries
    return json.dumps({"head": chain.head, "entries": entries}, indent=1) + "\n"


def _cell(value: object) -> object:
    text = " ".join(map(str, value)) if isinstance(value, list) else value
    # A message type is the other side's word: no spreadsheet may take it for a formula.
    return f"'{text}" if isinstance(text, str) and text[:1] in "=+-@\t\r" else text
