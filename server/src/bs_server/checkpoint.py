"""Rounds on disk: weights and record of every finished round, written whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from bs_common.architecture import NamedArrays, Trainable, array_shapes
from bs_common.errors import TrustError
from bs_common.files import sync_folder, write_atomic
from bs_common.joining import read_document
from bs_common.weights import digest, read_weights, write_weights
from bs_server.summary import RoundSummary

_WEIGHTS = "weights.safetensors"
_RECORD = "round.json"


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The finished rounds of a study.

    A round's folder appears under its number by one rename, after its files are on disk.
    """

    folder: Path
    trainable: Trainable

    def write(self, record: RoundSummary, arrays: NamedArrays) -> None:
        """Keep a finished round; it may be announced when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{record.round:04d}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        write_weights(draft / _WEIGHTS, arrays)
        write_atomic(draft / _RECORD, (record.model_dump_json(indent=2) + "\n").encode())
        final = self._round(record.round)
        shutil.rmtree(final, ignore_errors=True)
        draft.rename(final)
        sync_folder(self.folder)

    def records(self) -> list[RoundSummary]:
        """Read the records of the finished rounds, 0, 1, 2 ... up to the first gap."""
        found: list[RoundSummary] = []
        while (path := self._round(len(found)) / _RECORD).exists():
            found.append(read_document(path, RoundSummary))
        return found

    def weights(self, record: RoundSummary) -> NamedArrays:
        """Read a round's weights; raises TrustError if they are not those it recorded."""
        arrays = read_weights(self._round(record.round) / _WEIGHTS, array_shapes(self.trainable))
        if digest(arrays) != record.weights_sha256:
            raise TrustError(
                f"The weights of round {record.round} are not those that were recorded.",
                remedy=f"Remove the folder {self._round(record.round)} to repeat from the round "
                "before.",
            )
        return arrays

    def _round(self, number: int) -> Path:
        return self.folder / f"{number:04d}"
