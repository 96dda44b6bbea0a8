"""How fast the `eventsourcing` library appends: events of one-event aggregates, from several threads."""

import json
import sys
import threading
import time
from importlib import import_module
from typing import Any
from uuid import uuid4

from tests.bench.commands import COMPANY

STATE = json.dumps(COMPANY).encode()


def main(host: str, port: str, database: str, threads: str, seconds: str) -> None:
    library: Any = import_module("eventsourcing.postgres")
    StoredEvent: Any = import_module("eventsourcing.persistence").StoredEvent
    count = int(threads)
    store = library.PostgresDatastore(database, host, port, "postgres", "", pool_size=count)
    recorder = library.PostgresApplicationRecorder(store)
    recorder.create_table()
    done = [0] * count
    until = [0.0]

    def append(number: int) -> None:
        while time.monotonic() < until[0]:
            recorder.insert_events([StoredEvent(uuid4(), 1, "bench:Registered", STATE)])
            done[number] += 1

    def rate(length: float) -> float:
        done[:] = [0] * count
        began = time.monotonic()
        until[0] = began + length
        workers = [threading.Thread(target=append, args=(number,)) for number in range(count)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return sum(done) / (time.monotonic() - began)

    rate(0.5)
    print(rate(float(seconds)))
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
