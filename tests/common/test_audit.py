"""The chained record: what was changed, removed, inserted or cut is found, and where."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
import stat
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bs_common.audit import AuditLog, Passage, find_noted, read_entries, read_log, verify
from bs_common.errors import ConfigError, TrustError

TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
LINES = 5


def passage(number: int) -> Passage:
    return Passage(
        direction="out",
        message_type="train",
        round_number=number,
        keys=("arrays.head_hidden/kernel", "metrics.loss"),
        size_bytes=1000 + number,
        content_sha256=f"{number}" * 64,
        verdict="passed",
    )


def log_at(path: Path) -> AuditLog:
    return AuditLog(path, lambda: TIME)


def written(folder: Path, lines: int = LINES) -> Path:
    path = folder / "audit.jsonl"
    log = log_at(path)
    for number in range(1, lines + 1):
        log.record(passage(number))
    return path


def place_of_the_break(path: Path) -> int:
    """Give the line that verification names."""
    with pytest.raises(TrustError) as refused:
        verify(path)
    assert "evidence" in refused.value.remedy
    found = re.search(r"line (\d+)", str(refused.value))
    assert found is not None
    return int(found[1])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    path = written(tmp_path_factory.mktemp("whole"))
    return path.read_bytes().splitlines(keepends=True)


def test_passages_are_read_as_they_were_recorded(tmp_path: Path) -> None:
    entries = read_entries(written(tmp_path))

    assert [entry["round_number"] for entry in entries] == [1, 2, 3, 4, 5]
    assert entries[0]["time"] == "2026-01-02T03:04:05+00:00"
    assert entries[0]["keys"] == ["arrays.head_hidden/kernel", "metrics.loss"]
    assert entries[0]["previous"] == "0" * 64


def test_the_record_is_readable_by_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = written(tmp_path)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_that_is_opened_again_goes_on_with_the_chain(tmp_path: Path) -> None:
    path = written(tmp_path, 2)

    log_at(path).record(passage(3))

    assert len(read_entries(path)) == 3


def test_a_line_is_on_disk_before_the_recording_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    path = tmp_path / "audit.jsonl"
    monkeypatch.setattr(os, "fsync", lambda _descriptor: synced.append(path.read_bytes()))

    log_at(path).record(passage(1))

    assert synced == [path.read_bytes()]


@given(data=st.data())
def test_any_changed_byte_before_the_last_line_is_found_and_located(
    tmp_path_factory: pytest.TempPathFactory, whole: list[bytes], data: st.DataObject
) -> None:
    line = data.draw(st.integers(0, LINES - 2))
    at = data.draw(st.integers(0, len(whole[line]) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[line][at]))
    changed = bytearray(whole[line])
    changed[at] = value
    path = tmp_path_factory.getbasetemp() / "changed.jsonl"
    path.write_bytes(b"".join([*whole[:line], bytes(changed), *whole[line + 1 :]]))

    # Either the line itself cannot be read, or the one after it does not follow from it.
    assert place_of_the_break(path) in (line + 1, line + 2)


@pytest.mark.parametrize("removed", range(LINES - 1))
def test_a_removed_line_is_found(tmp_path: Path, whole: list[bytes], removed: int) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(whole[:removed] + whole[removed + 1 :]))

    assert place_of_the_break(path) == removed + 1


@pytest.mark.parametrize("after", range(1, LINES + 1))
def test_an_inserted_line_is_found(tmp_path: Path, whole: list[bytes], after: int) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join([*whole[:after], whole[0], *whole[after:]]))

    assert place_of_the_break(path) == after + 1


@pytest.mark.parametrize("first", range(LINES - 1))
def test_two_swapped_lines_are_found(tmp_path: Path, whole: list[bytes], first: int) -> None:
    lines = list(whole)
    lines[first], lines[first + 1] = lines[first + 1], lines[first]
    path = tmp_path / "log"
    path.write_bytes(b"".join(lines))

    assert place_of_the_break(path) == first + 1


def test_a_changed_byte_anywhere_is_found(tmp_path: Path, whole: list[bytes]) -> None:
    content, head = b"".join(whole[:2]), verify_bytes(tmp_path, b"".join(whole[:2]))

    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        path = tmp_path / "changed.jsonl"
        path.write_bytes(bytes(changed))
        # The last line is proven by the head that was noted, every other one by the chain.
        with pytest.raises(TrustError):
            find_noted(read_log(path), head)


def verify_bytes(folder: Path, content: bytes) -> str:
    path = folder / "log"
    path.write_bytes(content)
    return verify(path)


@given(data=st.data())
def test_a_line_that_a_power_cut_tore_is_set_aside_and_named_in_the_chain(
    tmp_path_factory: pytest.TempPathFactory, whole: list[bytes], data: st.DataObject
) -> None:
    kept = data.draw(st.integers(1, len(whole[-1]) - 1))
    path = tmp_path_factory.getbasetemp() / "torn.jsonl"
    path.write_bytes(b"".join(whole[:-1]) + whole[-1][:kept])
    assert read_log(path).torn_bytes == kept

    log_at(path).record(passage(6))

    *before, torn, after = read_entries(path)
    assert [entry["round_number"] for entry in before] == [1, 2, 3, 4]
    assert (torn["verdict"], torn["size_bytes"]) == ("torn_line", kept)
    assert torn["content_sha256"] == hashlib.sha256(whole[-1][:kept]).hexdigest()
    assert after["round_number"] == 6


def test_a_second_power_cut_while_the_first_is_recorded_blocks_nobody(
    tmp_path: Path, whole: list[bytes]
) -> None:
    path = tmp_path / "log"
    path.write_bytes(whole[0] + whole[1][:50])
    log_at(path)
    path.write_bytes(path.read_bytes()[:-30])

    log_at(path).record(passage(2))

    assert [e["verdict"] for e in read_entries(path)] == ["passed", "torn_line", "passed"]


@pytest.mark.parametrize("torn", [b"\x00" * 300, b"\xff", b'{"time":', b'{"time":"\r{"time":'])
def test_whatever_a_power_cut_leaves_is_set_aside(
    tmp_path: Path, whole: list[bytes], torn: bytes
) -> None:
    path = tmp_path / "log"
    path.write_bytes(whole[0] + torn)

    log_at(path)

    assert read_entries(path)[-1]["size_bytes"] == len(torn)


def test_a_changed_byte_of_what_was_set_aside_is_found(tmp_path: Path, whole: list[bytes]) -> None:
    path = tmp_path / "log"
    path.write_bytes(whole[0] + whole[1][:50])
    log_at(path)
    content = bytearray(path.read_bytes())
    content[len(whole[0]) + 20] ^= 1
    path.write_bytes(bytes(content))

    assert place_of_the_break(path) == 2


def test_a_line_in_the_middle_cannot_be_passed_off_as_torn(
    tmp_path: Path, whole: list[bytes]
) -> None:
    path = tmp_path / "log"
    path.write_bytes(whole[0] + whole[1][:50] + b"".join(whole[2:]))

    assert place_of_the_break(path) == 2


def test_a_log_that_something_else_wrote_to_is_not_written_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first, second = log_at(path), log_at(path)
    second.record(passage(1))

    with pytest.raises(TrustError, match="something else writes"):
        first.record(passage(1))
    assert len(read_entries(path)) == 1


def test_a_noted_head_proves_the_lines_up_to_it(tmp_path: Path) -> None:
    path = written(tmp_path, 2)
    noted = verify(path)

    log_at(path).record(passage(3))

    assert find_noted(read_log(path), noted) == 2


@pytest.mark.parametrize(
    "line", [b"\n", b"{}\n", b"[]\n", b"null\n", b'{"previous": 5}\n', b"\xff\n", b"free words\n"]
)
def test_a_line_that_is_no_entry_is_found(tmp_path: Path, whole: list[bytes], line: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(whole[0] + line)

    assert place_of_the_break(path) == 2


def test_other_line_ends_are_a_change(tmp_path: Path, whole: list[bytes]) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(whole).replace(b"\n", b"\r\n"))

    assert place_of_the_break(path) == 1


def change_the_last_line(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"size_bytes":1005', b'"size_bytes":1006'))


def test_a_change_of_the_last_line_shows_when_the_running_site_records_the_next(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.jsonl"
    log = log_at(path)
    for number in range(1, LINES + 1):
        log.record(passage(number))
    change_the_last_line(path)

    # Nothing follows the last line yet, so that a chain alone cannot tell.
    assert len(read_entries(path)) == LINES

    log.record(passage(6))
    assert place_of_the_break(path) == LINES + 1


def test_a_changed_last_line_has_another_hash_than_was_noted(tmp_path: Path) -> None:
    path = written(tmp_path)
    noted = verify(path)

    change_the_last_line(path)

    assert verify(path) != noted


def test_a_broken_log_is_not_written_on(tmp_path: Path) -> None:
    path = written(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[1:]))

    with pytest.raises(TrustError, match="the chain breaks before line 1"):
        log_at(path)


def test_an_empty_log_begins_a_chain(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").touch()

    log_at(tmp_path / "audit.jsonl").record(passage(1))

    assert len(read_entries(tmp_path / "audit.jsonl")) == 1


def test_a_site_where_nothing_passed_yet_has_no_log(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing has passed yet"):
        read_entries(tmp_path / "audit.jsonl")


def test_odd_characters_in_a_name_stay_on_one_line(tmp_path: Path) -> None:
    odd = "a\nb\u2028c\x1cd\x85\ud800"
    path = tmp_path / "audit.jsonl"
    log = log_at(path)
    log.record(passage(1))
    fields = {name: getattr(passage(2), name) for name in Passage.__slots__}

    log.record(Passage(**fields | {"message_type": odd}))
    log.record(passage(3))

    assert [entry["message_type"] for entry in read_entries(path)] == ["train", odd, "train"]
    assert all(json.loads(line) for line in path.read_text().split("\n")[:-1])


def test_a_line_holds_every_field_of_a_passage(tmp_path: Path) -> None:
    entry = read_entries(written(tmp_path, 1))[0]

    assert set(entry) == {"time", "previous", *(field.name for field in fields(Passage))}
