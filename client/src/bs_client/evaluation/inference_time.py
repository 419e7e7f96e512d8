"""How long the model takes for one scan at this site, beside which readers' times may stand.

Wall time by this machine's clock, so that other programs slow it as they slow a real use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from bs_client.data.dataset import Dataset
from bs_client.data.manifest import Entry
from bs_client.data.preprocess import as_channels
from bs_client.model.network import Network
from bs_common.files import write_atomic

INFERENCE_TIME = "inference.json"
BATCH = 8  # scans that the network's trunk takes at once
_MOST_S = 20.0  # the judgement waits for it

_Clock = Callable[[], float]
_Seconds = Annotated[float, Field(ge=0)]


class InferenceTime(BaseModel):
    """Medians over some scans of the external evaluation.

    device : what computed, such as ``cpu (2 threads)``.
    rows, columns : size of the network's input, both views side by side.
    reading_s : from the DICOM files on disk to the network's input.
    alone_s : from the network's input to the probability and what the map needs, one scan at once.
    in_batch_s : the same without the map, for each of `BATCH` scans computed together.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    device: str
    rows: int
    columns: int
    scans: Annotated[int, Field(ge=1)]
    reading_s: _Seconds
    alone_s: _Seconds
    in_batch_s: _Seconds


def measure_inference(
    dataset: Dataset,
    entries: Sequence[Entry],
    network: Network,
    *,
    device: str,
    clock: _Clock = time.perf_counter,
) -> InferenceTime:
    """Time the first scans of `entries`, at most `BATCH` of them and for some 20 s, at least one.

    What the network compiles or loads at its first use is not counted: it is used once before.
    Nothing of the evaluation depends on this.
    """
    network.explain(as_channels(dataset.image(entries[0])[np.newaxis]))
    begun = clock()
    images, reading_s, alone_s = [], [], []
    for entry in entries[:BATCH]:
        start = clock()
        image = as_channels(dataset.image_anew(entry)[np.newaxis])
        read = clock()
        network.explain(image)
        alone_s.append(clock() - read)
        reading_s.append(read - start)
        images.append(image[0])
        if clock() - begun > _MOST_S:
            break
    batch = np.stack([images[k % len(images)] for k in range(BATCH)])
    network.score(network.activate(batch))
    start = clock()
    network.score(network.activate(batch))
    rows, columns = batch.shape[1:3]
    return InferenceTime(
        device=device,
        rows=rows,
        columns=columns,
        scans=len(images),
        reading_s=float(np.median(reading_s)),
        alone_s=float(np.median(alone_s)),
        in_batch_s=(clock() - start) / BATCH,
    )


def write_inference_time(folder: Path, measured: InferenceTime) -> None:
    """Write it beside the evaluation's other files, readable by the owner alone (0600)."""
    content = measured.model_dump_json(indent=2).encode() + b"\n"
    write_atomic(folder / INFERENCE_TIME, content, mode=0o600)
