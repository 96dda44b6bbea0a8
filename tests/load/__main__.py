"""`make load`: the highest rate at which the product is quick, hours at half of it, and restarts under load."""

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crm.local import KAFKA_LIBS
from kernel.runtime import broker
from kernel.runtime.broker import KafkaBroker
from kernel.runtime.embedded import EmbeddedPostgres
from rich.console import Console

from tests.bench.figures import machine
from tests.load.counting import counted
from tests.load.pace import Load, Measured
from tests.load.sampling import Sampler, Verdict
from tests.load.search import Search
from tests.load.soak import caught_up, restart_each, restarted, soak, soaked
from tests.system.running import System

SEED = 1
# A generator that takes more of a core measures itself.
MOST_OF_A_CORE = 0.25


def main() -> int:
    asked = _parser().parse_args()
    console = Console(highlight=False, markup=False, soft_wrap=True)
    report: dict[str, Any] = {"about": machine()}
    with _system(report["about"]) as system:
        console.print(", ".join(f"{name} {value}" for name, value in report["about"].items()))
        # What is made here is no garbage until the end; looking for it would hold requests up.
        gc.disable()
        verdicts = asyncio.run(_run(system, asked.minutes, asked.rate, report, console.print))
        console.print("counting what is stored …")
        verdicts += report.pop("counted")(system)
    return _tell(verdicts, report, asked.json, console)


async def _run(
    system: System, minutes: float, rate: float, report: dict[str, Any], tell: Any
) -> list[Verdict]:
    verdicts: list[Verdict] = []
    load = Load(system.ports, system.token, SEED)
    try:
        with Sampler(system) as sampler:
            await load.open()

            async def settled() -> None:
                await caught_up(sampler)

            if not rate:
                search = Search(load, tell, settled)
                highest = await search.highest()
                report["steps"] = [step.about() for step in search.steps]
                report["highest"] = round(highest, 1)
                rate = highest / 2
                tell(f"the highest rate: {highest:.0f}/s; half of it: {rate:.0f}/s")
                verdicts.append(Verdict("some rate is held", highest > 0, f"{highest:.0f}/s"))
                if not highest:
                    return verdicts
            await settled()
            report["load"] = [round(figure, 1) for figure in os.getloadavg()]
            tell(f"{minutes:g} minutes at {rate:.1f}/s …")
            soaking = await soak(load, sampler, rate, minutes, tell)
            report["soak"] = soaking.about()
            verdicts += [*soaked(soaking, load.troubles()), _small(soaking), *sampler.verdicts(rate)]
            report["samples"] = sampler.figures()
            tell(f"each process ended in turn, at {rate:.1f}/s …")
            restarts = await restart_each(load, system, rate, tell)
            report["restarts"] = [each.about() for each in restarts]
            verdicts += [verdict for each in restarts for verdict in restarted(each)]
            heard = await caught_up(sampler)
            verdicts.append(Verdict("analytics catches up within a minute", heard, "yes" if heard else "no"))
    finally:
        load.close()
        report["counted"] = lambda system: list(counted(system, load))
    return verdicts


def _small(soaking: Measured) -> Verdict:
    found = f"{soaking.processor:.1%}"
    return Verdict(
        f"the generator takes less than {MOST_OF_A_CORE:.0%} of a core",
        soaking.processor < MOST_OF_A_CORE,
        found,
    )


def _tell(verdicts: list[Verdict], report: dict[str, Any], file: Path | None, console: Console) -> int:
    words = {True: "kept", False: "BROKEN", None: "not told"}
    for verdict in verdicts:
        console.print(f"  {words[verdict.kept]:8} {verdict.what}: {verdict.found}")
    broken = [verdict.what for verdict in verdicts if verdict.kept is False]
    report["promises"] = [asdict(verdict) for verdict in verdicts]
    report["broken"] = broken
    if file:
        file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    soaked = report.get("soak", {})
    console.print(
        f"highest {report.get('highest', '(given)')}/s, soak {soaked.get('requests', 0)} requests at "
        f"{soaked.get('rate', 0)}/s with p99 {soaked.get('p99_ms', 0)} ms, "
        f"{len(report.get('restarts', []))} restarts: "
        + (f"{len(broken)} of {len(verdicts)} promises broken" if broken else "every promise kept")
    )
    return 1 if broken else 0


@contextmanager
def _system(about: dict[str, str]) -> Iterator[System]:
    """All four services, a PostgreSQL with its defaults, and Kafka where it can run."""
    with ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="guanxi-load-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(made))
        missing = broker.missing_tools(KAFKA_LIBS)
        about["events over"] = f"the feed (Kafka needs {broker.INSTALL})" if missing else "Kafka"
        postgres = stack.enter_context(EmbeddedPostgres(folder / "postgres"))
        for name in ("fsync", "synchronous_commit", "server_version"):
            about[name] = postgres.execute(f"show {name}")
        subprocess.run(
            [sys.executable, "-m", "crm", "migrate"],
            env={**os.environ, "CRM_DATABASE_URL": postgres.dsn("postgres")},
            check=True,
            capture_output=True,
        )
        kafka = None if missing else stack.enter_context(KafkaBroker(folder / "kafka", libs=KAFKA_LIBS))
        yield stack.enter_context(System(folder / "services", postgres, kafka))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="of the soak")
    parser.add_argument(
        "--rate", type=float, default=0.0, help="requests a second of the soak, without a search"
    )
    parser.add_argument("--json", type=Path, help="where to write the report")
    return parser


if __name__ == "__main__":
    sys.exit(main())
