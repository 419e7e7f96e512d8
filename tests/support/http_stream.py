"""The recorded bytes of one direction of an HTTP/1.1 connection, taken apart (RFC 9112)."""

from __future__ import annotations

from dataclasses import dataclass

_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class HttpMessage:
    """One request or response.

    start : the first line, such as ``POST /v1/fleet/push-object HTTP/1.1``.
    headers : by lower-case name.
    """

    start: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Path that a request names."""
        return self.start.split(" ")[1]


def read_messages(stream: bytes) -> list[HttpMessage]:
    """Give the whole messages of a stream; one that was cut off at its end is left out.

    Raises ValueError for a body in an encoding (a compressed one, say) that would hide what it
    holds from a search.
    """
    messages = []
    at = 0
    while (end := stream.find(_HEAD_END, at)) >= 0:
        start, *lines = stream[at:end].decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        body, at = _read_body(stream, end + len(_HEAD_END), headers)
        if body is None:
            break
        messages.append(HttpMessage(start, headers, body))
    return messages


def _read_body(stream: bytes, at: int, headers: dict[str, str]) -> tuple[bytes | None, int]:
    encodings = {"content-encoding", "transfer-encoding"} & set(headers)
    if encodings:
        raise ValueError(f"a body with {sorted(encodings)}, expected it as it is")
    end = at + int(headers.get("content-length", "0"))
    return (stream[at:end], end) if end <= len(stream) else (None, at)
