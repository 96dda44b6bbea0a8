"""`make bench`: measures the product's promises as ratios of one run, because absolute figures are a machine's."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from tests.bench import (
    commands,
    feed,
    flat,
    library,
    memory,
    processes,
    reads,
    rebuild,
    relaying,
    stack,
    visible,
)
from tests.bench.disk import sync_milliseconds
from tests.bench.figures import Figure, machine, show, write
from tests.bench.setting import NotPossible, Setting, setting

BENCHES: dict[str, Callable[[Setting], Iterator[Figure]]] = {
    bench.NAME: bench.run
    for bench in (
        commands,
        reads,
        library,
        processes,
        visible,
        relaying,
        feed,
        rebuild,
        stack,
        flat,
        memory,
    )
}


def main() -> int:
    asked = _parser().parse_args()
    console = Console(highlight=False)
    about = machine()
    figures: list[Figure] = []
    names: Sequence[str] = asked.only or list(BENCHES)

    def tell(what: str) -> None:
        Console(stderr=True, highlight=False).print(f"  {what}", style="dim")

    missing = []
    with setting(asked.seconds, asked.rounds, tell, asked.slower_disk) as given:
        for name in ("fsync", "synchronous_commit", "server_version"):
            about[name] = given.server.execute(f"show {name}")
        about["8 kB made durable in"] = f"{sync_milliseconds(given.server.data):.2f} ms"
        if asked.slower_disk:
            about["each flush made longer by"] = f"{asked.slower_disk} ms"
        console.print(", ".join(f"{name} {value}" for name, value in about.items()))
        for name in names:
            console.print(f"{name} …")
            try:
                for figure in BENCHES[name](given):
                    figures.append(figure)
                    tell(f"{figure.name}: {figure.value:,.2f} {figure.unit}")
            except NotPossible as reason:
                missing.append(name)
                console.print(f"{name} was not measured: {reason}", markup=False)
    show(figures, console)
    if asked.json:
        write(figures, about, asked.json)
    return 1 if missing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", type=lambda text: text.replace(",", " ").split(), help=", ".join(BENCHES))
    parser.add_argument("--seconds", type=float, default=10.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of alternation")
    parser.add_argument(
        "--slower-disk",
        type=float,
        default=0.0,
        metavar="MS",
        help="milliseconds that each flush takes longer than here",
    )
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
