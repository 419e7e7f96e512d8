"""Requests and replies as typed objects, and their form inside a Flower message.

What is read here has been checked against `contract` entry by entry; the site's gate reads every
reply before it leaves, the coordinator again when it arrives.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from bs_common.architecture import NamedArrays, Shape
from bs_common.bins import bins_from_metrics
from bs_common.content import measure
from bs_common.contract import (
    CONTRACT_VERSION,
    REFUSAL_CODE,
    REPLY_METRICS,
    REPLY_TEXTS,
    REQUEST_NUMBERS,
    SCORE_GRIDS,
    MessageType,
    Numbers,
    most_compared,
    reply_shapes,
    request_shapes,
)
from bs_common.errors import ContractError
from bs_common.settings import StudySettings
from bs_common.weights import from_record, same_record, to_record

Metric = int | float | list[int] | list[float]

_HIDDEN = r"([A-Za-z0-9_.\-]{1,64}(,[A-Za-z0-9_.\-]{1,64})*)?"
_LONGEST_TEXT = 16_384  # the names of every number that can be hidden


@dataclass(frozen=True, slots=True)
class Request:
    """What the coordinator asks of one site.

    compared : weights of further models to be judged on the same scans, in the order of the
        thresholds among `numbers`.
    content_sha256 : digest of the content that it was read from (`content.measure`); empty in a
        request that is being made.
    """

    message_type: MessageType
    round_number: int
    arrays: NamedArrays = field(default_factory=dict)
    numbers: Mapping[str, Metric] = field(default_factory=dict)
    compared: tuple[NamedArrays, ...] = ()
    content_sha256: str = field(default="", compare=False)

    @property
    def models(self) -> int:
        """How many sets of weights the request carries."""
        return bool(self.arrays) + len(self.compared)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a site answers. `hidden` names the metrics left out for too small a count."""

    message_type: MessageType
    round_number: int
    arrays: NamedArrays = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()


def write_request(
    request: Request, settings: StudySettings, *, arrays: ArrayRecord | None = None
) -> RecordDict:
    """Put a request into Flower's form.

    Parameters
    ----------
    arrays : the record of an earlier request with the same arrays, which is then sent again.
    """
    config = _header(request.round_number, settings)
    config.update(dict(request.numbers))
    content = RecordDict({"config": config})
    shapes = request_shapes(request.message_type, settings)
    if arrays is not None:
        content["arrays"] = arrays
    else:
        _put_arrays(content, request.arrays, shapes)
    for name, model in zip(_compared_names(len(request.compared)), request.compared, strict=True):
        content[name] = to_record(model, shapes)
    return content


def read_request(kind: str, content: RecordDict, settings: StudySettings) -> Request:
    """Take a request out of Flower's form, or raise ContractError with the rule it breaks."""
    message_type = _known(kind)
    shapes = request_shapes(message_type, settings)
    further = _compared_names(_count_compared(content, message_type, settings))
    _check_records(content, {"config", *further} | ({"arrays"} if shapes else set()))
    config = dict(content.config_records["config"])
    round_number = _check_header(config, settings)
    numbers = _check_metrics(config, REQUEST_NUMBERS.get(message_type, {}), ())
    thresholds = numbers.get("compared-thresholds", [])
    if not isinstance(thresholds, list) or len(thresholds) != len(further):
        raise ContractError("length", "not one threshold for each model to be compared")
    compared = tuple(from_record(content.array_records[name], shapes) for name in further)
    arrays, sha256 = _arrays(content, shapes), measure(content).sha256
    return Request(message_type, round_number, arrays, numbers, compared, sha256)


def _compared_names(count: int) -> list[str]:
    """Name the records that hold further models."""
    return [f"compared-{place}" for place in range(1, count + 1)]


def _count_compared(content: RecordDict, kind: MessageType, settings: StudySettings) -> int:
    """Count the further models of an external request; one too many is an unknown record."""
    if kind is not MessageType.EXTERNAL:
        return 0
    found = sum(name.startswith("compared-") for name in content)
    return min(found, most_compared(settings))


def write_reply(
    reply: Reply, settings: StudySettings, *, read_from: RecordDict | None = None
) -> RecordDict:
    """Put a reply into Flower's form.

    Parameters
    ----------
    read_from : what `read_reply` took the arrays from; they are then not copied again.
    """
    config = _header(reply.round_number, settings)
    config.update(reply.texts)
    config["hidden"] = ",".join(sorted(reply.hidden))
    content = RecordDict({"config": config, "metrics": MetricRecord(dict(reply.metrics))})
    if read_from is not None and reply.arrays:
        content["arrays"] = same_record(read_from.array_records["arrays"])
    else:
        _put_arrays(content, reply.arrays, reply_shapes(reply.message_type, settings))
    return content


def read_reply(kind: str, content: RecordDict, settings: StudySettings) -> Reply:
    """Take a reply out of Flower's form, or raise ContractError with the rule it breaks.

    The site's gate reads every reply this way before it leaves, the coordinator when it arrives.
    """
    message_type = _known(kind)
    shapes = reply_shapes(message_type, settings)
    _check_records(content, {"config", "metrics"} | ({"arrays"} if shapes else set()))
    config = dict(content.config_records["config"])
    round_number = _check_header(config, settings)
    hidden = _read_text("hidden", config.pop("hidden", None), _HIDDEN)
    hidden_names = tuple(hidden.split(",")) if hidden else ()
    texts = _check_texts(config, REPLY_TEXTS[message_type])
    metrics = _check_metrics(
        dict(content.metric_records["metrics"]), REPLY_METRICS[message_type], hidden_names
    )
    if message_type in SCORE_GRIDS:
        bins_from_metrics(metrics, SCORE_GRIDS[message_type])  # raises unless they belong together
    arrays = _arrays(content, shapes)
    return Reply(message_type, round_number, arrays, metrics, texts, hidden_names)


def _known(kind: str) -> MessageType:
    try:
        return MessageType(kind)
    except ValueError:
        raise ContractError("unknown_type", "a message type that is not in the contract") from None


def _header(round_number: int, settings: StudySettings) -> ConfigRecord:
    return ConfigRecord(
        {
            "contract": CONTRACT_VERSION,
            "settings-sha256": settings.digest(),
            "round": round_number,
        }
    )


def _put_arrays(content: RecordDict, arrays: NamedArrays, shapes: Mapping[str, Shape]) -> None:
    if arrays and not shapes:
        raise ContractError("unknown_record", "arrays in a message that carries none")
    if arrays:
        content["arrays"] = to_record(arrays, shapes)


def _check_header(config: dict[str, Any], settings: StudySettings) -> int:
    version = config.pop("contract", None)
    if type(version) is not int or version != CONTRACT_VERSION:
        raise ContractError(
            "contract_version",
            "the other side speaks another contract version",
            remedy="Install the same release of bs-server and bs-client on both sides.",
        )
    if config.pop("settings-sha256", None) != settings.digest():
        raise ContractError(
            "settings_changed",
            "the study's settings are not those this party agreed to",
            remedy="Ask the coordinator what changed; join again to agree to new settings.",
        )
    round_number = config.pop("round", None)
    if type(round_number) is not int or not 0 <= round_number <= settings.rounds:
        raise ContractError("round", "the message names no round of this study")
    return round_number


def _check_records(content: RecordDict, expected: set[str]) -> None:
    # Of the expected names, those of numbers are two; all others are arrays.
    found = (
        set(content.config_records) == {"config"},
        set(content.metric_records) == {"metrics"} & expected,
        set(content.array_records) == expected - {"config", "metrics"},
    )
    if set(content) != expected or not all(found):
        raise ContractError(
            "unknown_record", f"{len(content)} records, expected {sorted(expected)}"
        )


def _arrays(content: RecordDict, shapes: Mapping[str, Shape]) -> NamedArrays:
    return from_record(content.array_records["arrays"], shapes) if shapes else {}


def _check_texts(config: Mapping[str, Any], patterns: Mapping[str, str]) -> dict[str, str]:
    if set(config) != set(patterns):
        raise ContractError("unknown_key", "texts are not those of this message type")
    return {name: _read_text(name, config[name], pattern) for name, pattern in patterns.items()}


def _read_text(name: str, value: object, pattern: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not re.fullmatch(pattern, value):
        raise ContractError("text", f"{name}: not a text of the agreed form")
    return value


def _check_metrics(
    found: Mapping[str, Any], expected: Mapping[str, Numbers], hidden: tuple[str, ...]
) -> dict[str, Metric]:
    for name in (*found, *hidden):
        _numbers_of(name, expected)
    for name, numbers in expected.items():
        missing = not name.endswith("*") and name not in found
        if missing and not numbers.optional and not (numbers.hideable and name in hidden):
            raise ContractError("missing_key", f"{name}: missing and not named as hidden")
    if set(found) & set(hidden):
        raise ContractError("hidden", "a number is sent although it is named as hidden")
    return {
        name: _check_numbers(name, value, _numbers_of(name, expected))
        for name, value in found.items()
    }


def _numbers_of(name: str, expected: Mapping[str, Numbers]) -> Numbers:
    prefix, _, code = name.partition(".")
    key = f"{prefix}.*" if re.fullmatch(REFUSAL_CODE, code) else name
    if key not in expected or name.endswith("*"):
        raise ContractError("unknown_key", "a number that is not in this message type")
    return expected[key]


def _check_numbers(name: str, value: Metric, numbers: Numbers) -> Metric:
    kind = {"int": int, "float": float}[numbers.kind]
    values: list[Any] = list(value) if isinstance(value, list) else [value]
    if isinstance(value, list) != (numbers.length is not None):
        raise ContractError("length", f"{name}: a list where a number belongs, or the reverse")
    too_long = numbers.length is not None and len(values) > numbers.length
    too_short = numbers.length is not None and not numbers.at_most and len(values) < numbers.length
    if too_long or too_short:
        raise ContractError("length", f"{name}: {len(values)} numbers, expected {numbers.length}")
    if any(type(v) is not kind for v in values) or not all(map(math.isfinite, values)):
        raise ContractError("number_type", f"{name}: not finite numbers of kind {numbers.kind}")
    if not all(numbers.low <= v <= numbers.high for v in values):
        raise ContractError("number_range", f"{name}: outside {numbers.low} to {numbers.high}")
    return value
