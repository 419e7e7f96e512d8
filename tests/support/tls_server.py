"""A TLS server with the certificate and the answer that a test gives it; no coordinator."""

from __future__ import annotations

import datetime
import email.utils
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bs_server.trust.authority import Authority

HOST = "127.0.0.1"


def refusal(when: datetime.datetime, more: str = "") -> bytes:
    """Give a plain 404 as of a time."""
    date = email.utils.format_datetime(when.astimezone(datetime.UTC), usegmt=True)
    head = f"HTTP/1.1 404 Not Found\r\ndate: {date}\r\ncontent-length: 0\r\nconnection: close\r\n"
    return f"{head}{more}\r\n".encode()


@contextmanager
def tls_server(authority: Authority, answer: bytes) -> Iterator[int]:
    """Answer every request with the same bytes; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server_certificate, authority.server_key)
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(plain, server_side=True) as connection:
                        connection.recv(1 << 16)
                        connection.sendall(answer)
                except OSError:  # a client that does not trust the certificate leaves
                    continue

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
