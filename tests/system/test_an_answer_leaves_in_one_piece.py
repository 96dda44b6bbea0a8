"""Head and body of an answer are one packet, however many requests a connection brings at once."""

import re
import socket

from tests.system.running import HOST, System

REQUEST = b"GET /livez HTTP/1.1\r\nHost: crm\r\n\r\n"
TURNS = 50


def test_an_answer_leaves_in_one_piece(system: System) -> None:
    with socket.create_connection((HOST, system.ports["contacts"]), timeout=20) as connection:
        for _ in range(TURNS):
            connection.sendall(REQUEST)
            assert answers(connection.recv(65_536)) == [200]


def test_requests_sent_together_are_answered_in_full(system: System) -> None:
    with socket.create_connection((HOST, system.ports["contacts"]), timeout=20) as connection:
        connection.sendall(REQUEST * TURNS)
        received = connection.recv(65_536)
        size = len(received) // received.count(b"HTTP/1.1 ")
        while len(received) < TURNS * size:
            received += connection.recv(65_536)
        assert answers(received) == [200] * TURNS


def answers(received: bytes) -> list[int]:
    """The statuses of whole answers; fails where one is cut."""
    statuses = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length, received
        assert len(rest) >= int(length[1]), received
        statuses.append(int(head.split()[1]))
        received = rest[int(length[1]) :]
    return statuses
