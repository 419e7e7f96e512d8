"""The site's own record of its last answers: a question asked again is not worked on twice.

An answer is on disk before it leaves, so a site that is killed, or a connection that is cut, after
the work was done costs nothing. What is kept is the work's own reply, before small counts are
hidden: it goes through the gate as if it were new. The folder stays at the site.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open

from bs_client.federation.activity import Activity
from bs_client.federation.app import Work
from bs_common.contract import MessageType, reply_shapes
from bs_common.errors import ContractError, StorageFailed
from bs_common.files import write_atomic
from bs_common.messages import Metric, Reply, Request, read_reply, write_reply
from bs_common.settings import StudySettings
from bs_common.weights import digest, safetensors_pieces

_log = logging.getLogger(__name__)

_FORMAT = 1
_HEAD = "answer"
# The last two rounds' training and validation: a coordinator goes back by one round at most, when
# its newest checkpoint is damaged.
_KEPT = 4
_FINAL = (MessageType.EXTERNAL, MessageType.READERS)  # answered once
_DURABLE = (MessageType.LOCAL, *_FINAL)


class _Head(BaseModel):
    """What is kept of an answer beside its arrays."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: int
    key: str
    arrays_sha256: str
    metrics: dict[str, Metric]
    texts: dict[str, str]
    hidden: list[str]


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of one site in one study, by question.

    A question is the message type, the round, the digest of what came with it and of the study's
    settings; for training and validation also the data it is about, so that mended data are worked
    on anew. The external judgement of some weights is the first one: it is never made again.
    A reader study is answered once too, whatever round is named with the question.

    Parameters
    ----------
    folder : made if missing, readable by its owner alone.
    data_sha256 : digest of this site's scans, labels and splits.
    """

    folder: Path
    settings: StudySettings
    data_sha256: str

    def answer(self, request: Request, work: Callable[[Request], Reply]) -> Reply:
        """Give the answer of an earlier asking, or do the work and keep its answer.

        Raises StorageFailed if the answer cannot be kept; it then does not leave either.
        """
        path = self._path(request)
        found = self._find(path, request)
        if found is not None:
            _log.info("%s, round %d: answered before", request.message_type, request.round_number)
            return found
        reply = work(request)
        try:
            self._keep(path, reply)
        except StorageFailed as error:
            _log.error("What to do: %s", error.remedy)  # the gate says what, and tells a code
            raise
        return reply

    def _find(self, path: Path, request: Request) -> Reply | None:
        if not path.exists():
            return None
        try:
            return self._read(path, request)
        except (OSError, SafetensorError, ValidationError, ContractError, KeyError) as error:
            # Also one that the gate has refused: asked again, it shall be worked on again.
            _log.warning("a recorded answer is of no use (%s)", type(error).__name__)
            return None

    def _read(self, path: Path, request: Request) -> Reply:
        with safe_open(path, framework="numpy") as file:
            head = _Head.model_validate_json(file.metadata()[_HEAD])
            shapes = reply_shapes(request.message_type, self.settings)
            arrays = {name: file.get_tensor(name) for name in shapes}
        if (head.format, head.key) != (_FORMAT, path.stem) or head.arrays_sha256 != digest(arrays):
            raise ContractError("answer_record", "not the answer that was recorded")
        kind, number = request.message_type, request.round_number
        reply = Reply(kind, number, arrays, head.metrics, head.texts, tuple(head.hidden))
        return read_reply(kind.value, write_reply(reply, self.settings), self.settings)

    def _keep(self, path: Path, reply: Reply) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        head = _Head(
            format=_FORMAT,
            key=path.stem,
            arrays_sha256=digest(reply.arrays),
            metrics=dict(reply.metrics),
            texts=dict(reply.texts),
            hidden=list(reply.hidden),
        )
        content = safetensors_pieces(reply.arrays, {_HEAD: head.model_dump_json()})
        # A round's answer that a power cut takes is worked out again, to the same bytes; the
        # external judgement is made once and has to be on disk, and so has a model of all rounds.
        write_atomic(path, *content, mode=0o600, durable=reply.message_type in _DURABLE)
        self._forget_old()

    def _forget_old(self) -> None:
        """Remove all but the newest answers about rounds; those about the whole study stay."""
        rounds = [*self.folder.glob("train-*"), *self.folder.glob("evaluate-*")]
        for path in sorted(rounds, key=lambda p: (p.stat().st_mtime_ns, p.name))[:-_KEPT]:
            path.unlink()

    def _path(self, request: Request) -> Path:
        kind, final = request.message_type, request.message_type in _FINAL
        parts = [
            kind.value,
            None if kind is MessageType.READERS else request.round_number,
            digest(request.arrays) if final else request.content_sha256,
            self.settings.digest(),
            "" if final else self.data_sha256,
            *(digest(arrays) for arrays in request.compared),
        ]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return self.folder / f"{kind.value.rpartition('.')[2]}-{key}.safetensors"


@dataclass(frozen=True, slots=True)
class RecordedWork:
    """A site's work of which the long pieces are done once.

    What a site describes may change from one asking to the next, and the backbone's arrays cost
    nothing to give again.
    """

    work: Work
    answers: Answers

    @property
    def data_sha256(self) -> str:
        """Digest of the scans, labels and splits that the work is about."""
        return self.work.data_sha256

    @property
    def activity(self) -> Activity:
        """What the work does now."""
        return self.work.activity

    def describe(self, request: Request) -> Reply:
        """Say what this site has and runs."""
        return self.work.describe(request)

    def initial(self, request: Request) -> Reply:
        """Give the backbone's trainable part."""
        return self.work.initial(request)

    def train(self, request: Request) -> Reply:
        """Train the given weights, or give what came of it before."""
        return self.answers.answer(request, self.work.train)

    def local(self, request: Request) -> Reply:
        """Train a model from this site's scans alone, or give the one that was trained before."""
        return self.answers.answer(request, self.work.local)

    def evaluate(self, request: Request) -> Reply:
        """Validate the given weights, or give what came of it before."""
        return self.answers.answer(request, self.work.evaluate)

    def external(self, request: Request) -> Reply:
        """Judge the finished model, once."""
        return self.answers.answer(request, self.work.external)

    def readers(self, request: Request) -> Reply:
        """Give what the readers' first finished analysis said; a later one is not told."""
        return self.answers.answer(request, self.work.readers)
