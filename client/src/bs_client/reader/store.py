"""The one place of a reader study's state: an SQLite file whose answers can only be added to.

Every write is on disk before it is confirmed (write-ahead log, synchronous=FULL): a power cut or a
killed server loses nothing that a reader was told is kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bs_client.reader.case_image import CaseImage
from bs_client.reader.protocol import Stage
from bs_client.reader.records import Answer, Event, EventKind, Opinion, Reading, ShownResult
from bs_client.reader.schema import migrate
from bs_common.errors import ConfigError

BUSY_S = 10.0  # how long a command waits while the server writes
_READING = "reading.id, reader, session, position, code, practice, aided"


class Store:
    """A study's database; one call at a time."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Open the file; raises ConfigError where it is not there or is no such database."""
        if path.exists() == create:
            raise ConfigError(
                f"{path} {'exists already' if create else 'is not there'}.",
                remedy="Make a study with: bs-client reader-study new FOLDER SOURCE",
            )
        if create:
            path.touch(mode=0o600)
        # Statements commit by themselves; several that belong together use `with self._db`.
        # Calls come one after the other, but not always from the thread that opened the file.
        self._db = sqlite3.connect(
            path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            migrate(self._db)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise ConfigError(
                f"{path.name}: not a database of a reader study ({error}).",
                remedy="Restore the file from a backup.",
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # What is written once, when the study is made.

    def put_study(
        self,
        *,
        facts: Mapping[str, str],
        images: Mapping[str, CaseImage],
        results: Mapping[str, ShownResult],
        readings: Iterable[Reading],
    ) -> None:
        """Write everything that a study consists of, whole or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT INTO fact VALUES (?, ?)", facts.items())
            self._db.executemany(
                "INSERT INTO case_image VALUES (?, ?)",
                [(code, json.dumps(asdict(image))) for code, image in images.items()],
            )
            self._db.executemany(
                "INSERT INTO model_result VALUES (?, ?, ?, ?)",
                [(code, r.probability, r.threshold, r.has_map) for code, r in results.items()],
            )
            self._db.executemany(
                "INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (r.id, r.reader, r.session, r.position, r.code, r.practice, r.aided)
                    for r in readings
                ],
            )
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def fact(self, name: str) -> str:
        """Give what was noted under a name; raises KeyError if nothing was."""
        row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise KeyError(name)
        return str(row[0])

    def image(self, code: str) -> CaseImage:
        """Give what is known of a case's image."""
        (text,) = self._db.execute(
            "SELECT facts FROM case_image WHERE code = ?", (code,)
        ).fetchone()
        facts = json.loads(text)
        for view in ("anterior_shape", "posterior_shape"):
            facts[view] = tuple(facts[view])
        return CaseImage(**facts)

    def find_result(self, code: str) -> ShownResult | None:
        """Give the model's result on a case, or None."""
        row = self._db.execute(
            "SELECT probability, threshold, has_map FROM model_result WHERE code = ?", (code,)
        ).fetchone()
        return None if row is None else ShownResult(row[0], row[1], bool(row[2]))

    def readings(self, reader: str) -> tuple[Reading, ...]:
        """Give a reader's cases in the order of reading."""
        rows = self._db.execute(
            f"SELECT {_READING} FROM reading WHERE reader = ? ORDER BY session, position",  # noqa: S608
            (reader,),
        )
        return tuple(_reading(row) for row in rows)

    def find_reading(self, number: int) -> Reading | None:
        """Give one reading by its number, or None."""
        row = self._db.execute(
            f"SELECT {_READING} FROM reading WHERE id = ?",  # noqa: S608
            (number,),
        ).fetchone()
        return None if row is None else _reading(row)

    # What readers add.

    def add_answer(self, answer: Answer) -> bool:
        """Keep a submitted answer; False if this stage and revision has one already."""
        said = answer.opinion
        cursor = self._db.execute(
            "INSERT INTO answer (reading, stage, revision, at_ms, score, call, comment) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                answer.reading,
                answer.stage,
                answer.revision,
                answer.at_ms,
                said.score,
                said.call,
                said.comment,
            ),
        )
        return cursor.rowcount == 1

    def answers(self, reader: str) -> tuple[Answer, ...]:
        """Give all answers of a reader, in the order of submission."""
        rows = self._db.execute(
            "SELECT reading, stage, revision, at_ms, score, call, comment "
            "FROM answer JOIN reading ON reading.id = reading WHERE reader = ? ORDER BY answer.id",
            (reader,),
        )
        return tuple(
            Answer(row[0], Stage(row[1]), row[2], row[3], Opinion(row[4], bool(row[5]), row[6]))
            for row in rows
        )

    def add_draft(self, draft: Answer) -> None:
        """Keep what a reader has entered so far."""
        said = draft.opinion
        self._db.execute(
            "INSERT INTO draft (reading, stage, revision, at_ms, score, call, comment) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                draft.reading,
                draft.stage,
                draft.revision,
                draft.at_ms,
                said.score,
                said.call,
                said.comment,
            ),
        )

    def find_draft(self, reading: int, stage: Stage, revision: int) -> Opinion | None:
        """Give what was entered last, or None."""
        row = self._db.execute(
            "SELECT score, call, comment FROM draft "
            "WHERE reading = ? AND stage = ? AND revision = ? ORDER BY id DESC LIMIT 1",
            (reading, stage, revision),
        ).fetchone()
        if row is None:
            return None
        return Opinion(row[0], None if row[1] is None else bool(row[1]), row[2])

    def add_event(self, reader: str, event: Event) -> None:
        """Keep what happened."""
        self._db.execute(
            "INSERT INTO event (reader, reading, kind, at_ms, detail) VALUES (?, ?, ?, ?, ?)",
            (reader, event.reading, event.kind, event.at_ms, json.dumps(event.detail)),
        )

    def events_of_reading(self, reading: int) -> tuple[Event, ...]:
        """Give what happened during a reading, in order."""
        return self._events("reading = ?", (reading,))

    def events_of_kinds(self, reader: str, kinds: Sequence[EventKind]) -> tuple[Event, ...]:
        """Give a reader's events of some kinds, in order."""
        marks = ", ".join("?" * len(kinds))
        return self._events(f"reader = ? AND kind IN ({marks})", (reader, *kinds))

    def last_seen_ms(self, reader: str) -> int | None:
        """Give when a reader's page last said anything."""
        (last,) = self._db.execute(
            "SELECT max(at_ms) FROM event WHERE reader = ?", (reader,)
        ).fetchone()
        return None if last is None else int(last)

    def _events(self, condition: str, values: Sequence[object]) -> tuple[Event, ...]:
        rows = self._db.execute(
            f"SELECT reading, kind, at_ms, detail FROM event WHERE {condition} ORDER BY id",  # noqa: S608
            values,
        )
        return tuple(Event(row[0], EventKind(row[1]), row[2], json.loads(row[3])) for row in rows)

    # Who may come in.

    def put_link(self, holder: str, token_sha256: str, *, at_ms: int) -> None:
        """Give a holder a new link; unused older ones and open visits of the holder end."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("DELETE FROM link WHERE holder = ? AND used_ms IS NULL", (holder,))
        self._db.execute("DELETE FROM visit WHERE holder = ?", (holder,))
        self._db.execute("INSERT INTO link VALUES (?, ?, ?, NULL)", (token_sha256, holder, at_ms))
        self._db.execute("COMMIT")

    def find_link_holder(self, token_sha256: str) -> str | None:
        """Tell whose unused link this is, or None."""
        row = self._db.execute(
            "SELECT holder FROM link WHERE token_sha256 = ? AND used_ms IS NULL", (token_sha256,)
        ).fetchone()
        return None if row is None else str(row[0])

    def use_link(self, token_sha256: str, cookie_sha256: str, *, at_ms: int) -> bool:
        """Turn an unused link into a visit; False if it was used in the meantime."""
        self._db.execute("BEGIN IMMEDIATE")
        used = self._db.execute(
            "UPDATE link SET used_ms = ? WHERE token_sha256 = ? AND used_ms IS NULL "
            "RETURNING holder",
            (at_ms, token_sha256),
        ).fetchone()
        if used is not None:
            self._db.execute("INSERT INTO visit VALUES (?, ?, ?)", (cookie_sha256, used[0], at_ms))
        self._db.execute("COMMIT")
        return used is not None

    def end_visit(self, cookie_sha256: str) -> None:
        """Forget a visit."""
        self._db.execute("DELETE FROM visit WHERE cookie_sha256 = ?", (cookie_sha256,))

    def find_visitor(self, cookie_sha256: str) -> str | None:
        """Tell whose visit a cookie belongs to, or None."""
        row = self._db.execute(
            "SELECT holder FROM visit WHERE cookie_sha256 = ?", (cookie_sha256,)
        ).fetchone()
        return None if row is None else str(row[0])


def _reading(row: Sequence[object]) -> Reading:
    number, reader, session, position, code, practice, aided = row
    return Reading(
        id=int(str(number)),
        reader=str(reader),
        session=int(str(session)),
        position=int(str(position)),
        code=str(code),
        practice=bool(practice),
        aided=bool(aided),
    )
