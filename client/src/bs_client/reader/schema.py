"""The database's tables, as migrations: a study made by an older version is brought up to date."""

from __future__ import annotations

import sqlite3

from bs_common.errors import ConfigError

_TABLES = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE case_image (code TEXT PRIMARY KEY, facts TEXT NOT NULL);
CREATE TABLE model_result (
    code TEXT PRIMARY KEY REFERENCES case_image, probability REAL NOT NULL,
    threshold REAL NOT NULL, has_map INTEGER NOT NULL
);
CREATE TABLE reading (
    id INTEGER PRIMARY KEY, reader TEXT NOT NULL, session INTEGER NOT NULL,
    position INTEGER NOT NULL, code TEXT NOT NULL REFERENCES case_image,
    practice INTEGER NOT NULL, aided INTEGER NOT NULL,
    UNIQUE (reader, session, position), UNIQUE (reader, session, code)
);
CREATE TABLE answer (
    id INTEGER PRIMARY KEY, reading INTEGER NOT NULL REFERENCES reading,
    stage TEXT NOT NULL CHECK (stage IN ('unaided', 'aided')), revision INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, score INTEGER NOT NULL CHECK (typeof(score) = 'integer'),
    call INTEGER NOT NULL CHECK (call IN (0, 1)), comment TEXT NOT NULL,
    UNIQUE (reading, stage, revision)
);
CREATE TABLE draft (
    id INTEGER PRIMARY KEY, reading INTEGER NOT NULL REFERENCES reading,
    stage TEXT NOT NULL CHECK (stage IN ('unaided', 'aided')), revision INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, score INTEGER, call INTEGER CHECK (call IN (0, 1)),
    comment TEXT NOT NULL
);
CREATE INDEX draft_of_reading ON draft (reading, stage, revision);
CREATE TABLE event (
    id INTEGER PRIMARY KEY, reader TEXT NOT NULL, reading INTEGER REFERENCES reading,
    kind TEXT NOT NULL, at_ms INTEGER NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX event_of_reading ON event (reading);
CREATE INDEX event_of_reader ON event (reader, kind);
CREATE TABLE link (
    token_sha256 TEXT PRIMARY KEY, holder TEXT NOT NULL, made_ms INTEGER NOT NULL, used_ms INTEGER
);
CREATE TABLE visit (
    cookie_sha256 TEXT PRIMARY KEY, holder TEXT NOT NULL, made_ms INTEGER NOT NULL
);
"""

# What was written once is never changed or removed, not even by this program.
APPEND_ONLY = ("fact", "case_image", "model_result", "reading", "answer", "draft", "event")
_TRIGGERS = "".join(
    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;\n"
    for table in APPEND_ONLY
    for verb in ("UPDATE", "DELETE")
)

MIGRATIONS = (_TABLES + _TRIGGERS,)  # the n-th one leads to user_version n


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the migrations that are missing, each whole or not at all.

    Raises ConfigError if the file was made by a newer version of this program.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise ConfigError(
            f"The study's database has version {version}, this program knows {len(MIGRATIONS)}.",
            remedy="Use the version of bs-client that made the study, or a newer one.",
        )
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;{script}PRAGMA user_version = {number};COMMIT;")
