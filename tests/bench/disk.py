"""How long the disk under the database takes to make 8 kB durable: what no command can be faster than, alone."""

import os
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile

PAGE = b"\1" * 8192
TIMES = 200


def sync_milliseconds(folder: Path) -> float:
    """Over space that is there already, as PostgreSQL writes its log."""
    took = []
    with TemporaryFile(dir=folder, buffering=0) as file:
        file.write(PAGE * TIMES)
        os.fsync(file.fileno())
        for number in range(TIMES):
            began = time.perf_counter()
            os.pwrite(file.fileno(), PAGE, number * len(PAGE))
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return median(took) * 1000
