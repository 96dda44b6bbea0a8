"""Ports of this machine: taken at once, or one sentence about why not."""

import socket

from crm.failures import Failure


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise unusable(host, port, error) from None
    return listener


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    try:
        listen(host, port).close()
    except Failure:
        return False
    return True


def unusable(host: str, port: int, error: OSError) -> Failure:
    return Failure(f"Port {port} of {host} cannot be used: {(error.strerror or str(error)).lower()}.")
