"""The weights that round 0 begins with: drawn or asked for once, and on disk before they are used.

A study that is started again would otherwise ask a site for its backbone a second time, and could
go on from something else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bs_common.architecture import NamedArrays, Trainable, array_shapes
from bs_common.errors import TrustError
from bs_common.files import storing_in
from bs_common.weights import digest, read_weights, write_weights
from bs_server.results.external_values import Sha256
from bs_server.storage.documents import Document, read_state, write_state

_WEIGHTS = "weights.safetensors"
_RECORD = "start.json"


class StartFile(Document):
    """What the starting weights are."""

    weights_sha256: Sha256


def starting_weights(
    folder: Path,
    trainable: Trainable,
    *,
    make: Callable[[], NamedArrays],
    damaged: Callable[[str], None],
) -> NamedArrays:
    """Give the starting weights from disk; make and keep them where there are none yet.

    `damaged` is told when those on disk cannot be used, and others are made.
    """
    record, weights = folder / _RECORD, folder / _WEIGHTS
    if record.exists():
        try:
            arrays = read_weights(weights, array_shapes(trainable))
            if digest(arrays) == read_state(record, StartFile).weights_sha256:
                return arrays
            raise TrustError("The starting weights are not those that were recorded.")
        except TrustError as error:
            damaged(str(error))
    made = make()
    arrays = {name: made[name] for name in array_shapes(trainable)}
    with storing_in(folder):
        folder.mkdir(exist_ok=True)
    write_weights(weights, arrays)
    write_state(record, StartFile(version=1, weights_sha256=digest(arrays)))
    return arrays
