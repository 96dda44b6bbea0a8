"""Ports for what is started here: below those that the system gives to whoever connects.

So what is begun again finds its port free.
"""

import os
from collections.abc import Iterator
from itertools import chain

from crm.ports import is_free

_FROM, _TO = 10_000, 30_000
_EACH = 50


def _candidates() -> Iterator[int]:
    """Processes that run beside each other begin in different places."""
    first = _FROM + os.getpid() * _EACH % (_TO - _FROM)
    return chain(range(first, _TO), range(_FROM, first))


_untried = _candidates()


def free_ports(count: int) -> list[int]:
    """So many in a row that nobody uses; none is given twice."""
    found: list[int] = []
    for port in _untried:
        in_a_row = not found or port == found[-1] + 1
        found = [*(found if in_a_row else ()), port] if is_free(port) else []
        if len(found) == count:
            return found
    raise AssertionError("no free ports")
