"""HTTP by hand: clients with bad manners, for whom every library is too polite."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from tests.system.running import HOST, System

PATIENCE = 60.0


def connect(system: System, name: str) -> socket.socket:
    return socket.create_connection((HOST, system.ports[name]), timeout=PATIENCE)


def get(system: System, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: crm\r\nAuthorization: Bearer {system.token}\r\n\r\n".encode()


def post(system: System, path: str, body: Any) -> bytes:
    said = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: crm\r\nAuthorization: Bearer {system.token}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: raw-{uuid4()}\r\nContent-Length: {len(said)}\r\n\r\n"
    )
    return head.encode() + said


def companies(count: int, key: str = "raw") -> dict[str, Any]:
    """The body of a batch."""
    return {
        "items": [
            {
                "command": "companies.register",
                "idempotency_key": f"{key}-{uuid4()}",
                "data": {"name": f"Works {n}"},
            }
            for n in range(count)
        ]
    }


@contextmanager
def rude(system: System, name: str, *sent: bytes) -> Iterator[list[socket.socket]]:
    """One connection for each; none of them reads, or says any more."""
    connections = []
    try:
        for words in sent:
            connections.append(connect(system, name))
            connections[-1].sendall(words)
        yield connections
    finally:
        for connection in connections:
            connection.close()
