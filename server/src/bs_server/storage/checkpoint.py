"""Rounds on disk: weights and record of every finished round, written whole or not at all."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bs_common.architecture import NamedArrays, Trainable, array_shapes
from bs_common.errors import TrustError
from bs_common.files import require_space, storing_in, sync_folder
from bs_common.weights import digest, read_weights, write_weights
from bs_server.results.best_round import contenders
from bs_server.results.summary import RoundSummary
from bs_server.storage.documents import Document, read_state, write_state

_log = logging.getLogger(__name__)

_WEIGHTS = "weights.safetensors"
_RECORD = "round.json"
_RECORD_BYTES = 1_000_000  # far above any record


class RecordFile(Document):
    """A round's record as it lies on disk."""

    record: RoundSummary


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where a study goes on: the whole rounds, and the weights of the last of them."""

    rounds: list[RoundSummary]
    arrays: NamedArrays


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The finished rounds of a study.

    A round's folder appears under its number by one rename, after its files are on disk.

    Parameters
    ----------
    keep_last : so many last rounds keep their weights, beside the contenders for the model; the
        others keep their record alone.
    """

    folder: Path
    trainable: Trainable
    keep_last: int = 5

    def require_space(self) -> None:
        """Raise StorageFailed unless one more round can be kept."""
        parameters = sum(math.prod(shape) for shape in array_shapes(self.trainable).values())
        needed = 2 * (4 * parameters + _RECORD_BYTES)  # the draft beside what it replaces
        require_space(self.folder.parent, needed, what="The next round")

    def write(self, record: RoundSummary, arrays: NamedArrays) -> None:
        """Keep a finished round; it may be announced when this returns."""
        draft, final = self.folder / f".{record.round:04d}", self._round(record.round)
        with storing_in(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            write_weights(draft / _WEIGHTS, arrays)
            write_state(draft / _RECORD, RecordFile(version=1, record=record))
            shutil.rmtree(final, ignore_errors=True)
            draft.rename(final)
            sync_folder(self.folder)

    def forget_weights(self, records: Sequence[RoundSummary]) -> None:
        """Remove the weights of all but the last rounds and those that may become the model.

        Those that might have, as of any of the last rounds, stay too: going back by a round must
        find them.
        """
        kept = {entry.round for entry in records[-self.keep_last :]}
        for last in range(max(0, len(records) - self.keep_last), len(records)):
            kept |= {entry.round for entry in contenders(records[: last + 1])}
        with storing_in(self.folder):
            for entry in records:
                if entry.round not in kept:
                    (self._round(entry.round) / _WEIGHTS).unlink(missing_ok=True)

    def records(self) -> list[RoundSummary]:
        """Read the records of the finished rounds, 0, 1, 2 ... up to the first gap."""
        found: list[RoundSummary] = []
        while (path := self._round(len(found)) / _RECORD).exists():
            found.append(self._record(path, len(found)))
        return found

    def weights(self, record: RoundSummary) -> NamedArrays:
        """Read a round's weights; raises TrustError if they are not those it recorded."""
        arrays = read_weights(self._round(record.round) / _WEIGHTS, array_shapes(self.trainable))
        if digest(arrays) != record.weights_sha256:
            raise TrustError(
                f"The weights of round {record.round} are not those that were recorded.",
                remedy="Run the study again: it goes back to the round before, by itself.",
            )
        return arrays

    def resume(self, damaged: Callable[[int, str], None]) -> Resumed | None:
        """Give the last round from which the study can go on, or None to begin at the start.

        Rounds that cannot be read, or lack weights they must have, are set aside under another
        name with all that follow them, and come again with the same result. `damaged` is told the
        first such round and what is wrong with it.
        """
        rounds = self._whole_records(damaged)
        while rounds:
            bad = self._first_damaged(rounds)
            if bad is None:
                return Resumed(rounds, self.weights(rounds[-1]))
            number, why = bad
            damaged(number, why)
            self._set_aside(number)
            rounds = self._with_weights(rounds[:number])
        return None

    def _whole_records(self, damaged: Callable[[int, str], None]) -> list[RoundSummary]:
        found: list[RoundSummary] = []
        while self._round(len(found)).exists():
            try:
                found.append(self._record(self._round(len(found)) / _RECORD, len(found)))
            except TrustError as error:
                damaged(len(found), str(error))
                self._set_aside(len(found))
                return self._with_weights(found)
        return found

    def _first_damaged(self, rounds: Sequence[RoundSummary]) -> tuple[int, str] | None:
        """Look through all weights that must be there, the oldest first."""
        needed = {entry.round: entry for entry in (*contenders(rounds), rounds[-1])}
        for number, entry in sorted(needed.items()):
            try:
                self.weights(entry)
            except TrustError as error:
                return number, str(error)
        return None

    def _with_weights(self, rounds: list[RoundSummary]) -> list[RoundSummary]:
        """Go back to the last round that still has its weights."""
        while rounds and not (self._round(rounds[-1].round) / _WEIGHTS).exists():
            self._set_aside(rounds[-1].round)
            rounds = rounds[:-1]
        return rounds

    def _set_aside(self, first: int) -> None:
        """Move this round and all later ones out of the way; nothing is deleted."""
        last = first
        while self._round(last + 1).exists():
            last += 1
        with storing_in(self.folder):
            for number in range(last, first - 1, -1):  # a stop in between leaves no gap
                self._round(number).rename(self._free_name(number))
            sync_folder(self.folder)

    def _free_name(self, number: int) -> Path:
        count = 1
        while (path := self.folder / f"aside-{number:04d}-{count}").exists():
            count += 1
        return path

    def _record(self, path: Path, number: int) -> RoundSummary:
        record = read_state(path, RecordFile).record
        if record.round != number:
            raise TrustError(f"{path.parent.name}/{path.name} is the record of another round.")
        return record

    def _round(self, number: int) -> Path:
        return self.folder / f"{number:04d}"
