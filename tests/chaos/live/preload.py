"""Disks and clocks that go wrong on order: a small C library that PostgreSQL and the services preload."""

import mmap
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_name("preload.c")
# As in `struct orders` of the library.
ORDERS = ("fsync_delay_us", "fsync_failures", "disk_full", "clock_offset_s")
_WIDTH = 8


@dataclass(slots=True)
class Preload:
    """`library` is None where there is no C compiler: then nothing can be ordered."""

    folder: Path
    library: Path | None
    _maps: dict[str, mmap.mmap] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> "Preload":
        place = folder / "orders"
        place.mkdir(parents=True)
        compiler = shutil.which("cc") if sys.platform == "linux" else None
        if compiler is None:
            return cls(place, None)
        library = place / "preload.so"
        words = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(words, check=True, capture_output=True)
        return cls(place, library)

    def environment(self, name: str) -> Mapping[str, str]:
        """What a process of this name is started with."""
        if self.library is None:
            return {}
        return {"LD_PRELOAD": str(self.library), "CHAOS_ORDERS": str(self._file(name))}

    def order(self, name: str, what: str, value: int) -> None:
        if name not in self._maps:
            with self._file(name).open("r+b") as file:
                self._maps[name] = mmap.mmap(file.fileno(), len(ORDERS) * _WIDTH)
        struct.pack_into("<q", self._maps[name], ORDERS.index(what) * _WIDTH, value)

    def _file(self, name: str) -> Path:
        file = self.folder / name
        if not file.exists():
            file.write_bytes(bytes(len(ORDERS) * _WIDTH))
        return file
