"""Somebody who speaks Flower's Fleet API header by header, with any key and any body."""

from __future__ import annotations

import datetime
import ssl
from base64 import b64encode
from typing import Protocol

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.proto.fleet_pb2 import ActivateNodeRequest, ActivateNodeResponse

from support.study_maker import HOST

Headers = dict[str, str]


class Proto(Protocol):
    """Any message of Flower's schema."""

    def SerializeToString(self) -> bytes: ...  # noqa: N802 - protobuf's name


class RawSite:
    """Signs requests as Flower does; a header or a body can then be anything.

    source : address that it calls from; all of 127.0.0.0/8 is this machine.
    """

    def __init__(
        self,
        port: int,
        ca_certificate: str,
        key: ec.EllipticCurvePrivateKey,
        *,
        source: str = HOST,
    ) -> None:
        trust = ssl.create_default_context(cadata=ca_certificate)
        transport = httpx.HTTPTransport(verify=trust, local_address=source)
        self.client = httpx.Client(
            transport=transport, base_url=f"https://{HOST}:{port}", timeout=20
        )
        self.source = source
        self._key = key
        self.public_key = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def __enter__(self) -> RawSite:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def signed(self, *, ahead_s: float = 0) -> Headers:
        """Give the headers of a request that is signed now, by a clock that is off."""
        now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=ahead_s)
        signature = self._key.sign(now.isoformat().encode(), ec.ECDSA(hashes.SHA256()))
        return {
            "content-type": "application/protobuf",
            "flwr-public-key": b64encode(self.public_key).decode(),
            "flwr-timestamp": now.isoformat(),
            "flwr-signature": b64encode(signature).decode(),
        }

    def post(
        self, call: str, request: Proto | bytes = b"", *, headers: Headers | None = None
    ) -> httpx.Response:
        """Make one call of the Fleet API."""
        content = request if isinstance(request, bytes) else request.SerializeToString()
        return self.client.post(
            f"/v1/fleet/{call}",
            content=content,
            headers=self.signed() if headers is None else headers,
        )

    def activation(self) -> ActivateNodeRequest:
        """Give the request by which a site comes online."""
        return ActivateNodeRequest(public_key=self.public_key, heartbeat_interval=30)

    def activate(self) -> int:
        """Come online, and give the number by which Flower knows this site."""
        answered = self.post("activate-node", self.activation())
        answered.raise_for_status()
        return int(ActivateNodeResponse.FromString(answered.content).node_id)
