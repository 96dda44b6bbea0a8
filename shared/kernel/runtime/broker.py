"""A real Apache Kafka that belongs to one directory: one node on loopback, for development and tests."""

import fcntl
import os
import random
import re
import secrets
import shutil
import socket
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from kernel.runtime.guarded import Guarded, ServerProblem

PACKAGES = "openjdk-17-jre-headless maven"
INSTALL = f"apt-get install -y {PACKAGES}"
OLDEST_JAVA = 17
HOST = "127.0.0.1"
PORTS = range(30_000, 32_768)
FILES = Path(__file__).resolve().parents[3] / "deploy" / "kafka"

OPTIONS = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # a broker of a few minutes never earns the optimising compiler's time back
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
]


class KafkaBroker:
    """One broker over one directory, which holds its data, its log and, by default, its jars.

    With `users` (names and passwords) it has a second address, `secured`, where it asks who is there.
    It sends its clients to the port `advertised`, if that is another one than its own.
    """

    def __init__(
        self,
        directory: Path,
        *,
        libs: Path | None = None,
        users: Mapping[str, str] | None = None,
        advertised: int = 0,
    ) -> None:
        self.directory = directory.absolute()
        self.log = self.directory / "kafka.log"
        self._libs = (libs or directory / "libs").absolute()
        self._settings = self.directory / "server.properties"
        self._users = users or {}
        self._advertised = advertised
        self._port, self._secured_port, self._controller_port = free_ports(3)
        self._server: Guarded | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self._port}"

    @property
    def secured(self) -> str:
        return f"{HOST}:{self._secured_port}"

    @property
    def pid(self) -> int:
        return self._server.pid if self._server else 0

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.running

    def start(self, patience: float = 60.0) -> None:
        """Start over the data that is there; the ports stay the same after `kill` and `stop`."""
        if self.running:
            return
        self.stop()
        java = find_java()
        self.directory.mkdir(parents=True, exist_ok=True)
        fetch_jars(self._libs)
        self._write_settings()
        if not (self.directory / "data" / "meta.properties").exists():
            self._format(java)
        self._server = Guarded(
            [java, *OPTIONS, "-cp", f"{self._libs}/*", "kafka.Kafka", self._settings], log=self.log
        )
        self._server.start()
        deadline = time.monotonic() + patience
        while not self._listens():
            if not self._server.running:
                self._server.stop()
                raise ServerProblem(f"Kafka did not start in {self.directory}; {self.log} says why.")
            if time.monotonic() > deadline:
                self._server.stop()
                raise ServerProblem(f"Kafka did not get ready in time; {self.log} says what it was doing.")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop in good order; the data stays."""
        if self._server:
            self._server.stop()

    def kill(self) -> None:
        """End the broker as a power cut would; `start` recovers."""
        if self._server:
            self._server.kill()

    def _write_settings(self) -> None:
        controller = f"{HOST}:{self._controller_port}"
        listeners = f"PLAINTEXT://{self.bootstrap}"
        advertised = f"PLAINTEXT://{HOST}:{self._advertised or self._port}"
        ours: dict[str, str] = {}
        if self._users:
            secured = f",SASL_PLAINTEXT://{self.secured}"
            listeners, advertised = listeners + secured, advertised + secured
            ours |= logins(self._users)
        ours |= {
            "listeners": f"{listeners},CONTROLLER://{controller}",
            "advertised.listeners": advertised,
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self.directory / "data"),
        }
        fixed = (FILES / "server.properties").read_text()
        self._settings.write_text(fixed + "".join(f"{name}={value}\n" for name, value in ours.items()))

    def _format(self, java: str) -> None:
        tool = [java, *OPTIONS, "-cp", f"{self._libs}/*", "kafka.tools.StorageTool"]
        words: list[str | Path] = [*tool, "format", "-t", new_cluster_id(), "-c", self._settings]
        for name, password in self._users.items():
            words += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        formatting = Guarded(words, log=self.log)
        formatting.start()
        if formatting.wait():
            raise ServerProblem(f"Kafka could not prepare {self.directory}; {self.log} says why.")

    def _listens(self) -> bool:
        """At every address it has: they do not open at once."""
        ports = [self._port, *([self._secured_port] if self._users else [])]
        return all(answers(port) for port in ports)


def logins(users: Mapping[str, str]) -> Mapping[str, str]:
    """Who may come in, in the broker's own words; for SCRAM they are in its data since it was formatted."""
    listener, module = "listener.name.sasl_plaintext", "org.apache.kafka.common.security"
    known = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    return {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        f"{listener}.plain.sasl.jaas.config": f"{module}.plain.PlainLoginModule required {known};",
        f"{listener}.scram-sha-512.sasl.jaas.config": f"{module}.scram.ScramLoginModule required;",
    }


def new_cluster_id() -> str:
    """16 bytes in 22 characters, as Kafka writes a UUID; the first bit is 0, for with a hyphen begins an option."""
    first, *rest = secrets.token_bytes(16)
    return urlsafe_b64encode(bytes([first & 0x7F, *rest])).decode().rstrip("=")


def find_java() -> str:
    """The Java to run, or one sentence about what is missing."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else None
    java = java or shutil.which("java")
    if java is None:
        raise ServerProblem(f"Kafka needs Java {OLDEST_JAVA} or newer, which is not installed: {INSTALL}")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version.group(1)) < OLDEST_JAVA:
        raise ServerProblem(f"Kafka needs Java {OLDEST_JAVA} or newer, {java} is older: {INSTALL}")
    return java


def fetch_jars(libs: Path) -> None:
    """Let Maven copy the broker's jars, once; an interrupted copy is never taken for a whole one."""
    if libs.exists():
        return
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerProblem(f"Kafka's files are fetched with Maven, which is not installed: {INSTALL}")
    libs.parent.mkdir(parents=True, exist_ok=True)
    with libs.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Maven's own cache does not bear two at once.
        if not libs.exists():
            copy_jars(maven, libs)


def copy_jars(maven: str, libs: Path) -> None:
    partial = libs.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(FILES / "pom.xml"), "dependency:copy-dependencies"]
    done = subprocess.run(  # noqa: S603
        [*command, f"-DoutputDirectory={partial}"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = re.search(r"\[ERROR\] (.*)", done.stdout)
        raise ServerProblem(f"Maven could not fetch Kafka's files: {reason[1] if reason else done.stderr}")
    partial.rename(libs)


def missing_tools(libs: Path) -> bool:
    """Whether a broker cannot be started here for want of Java or Maven."""
    try:
        find_java()
    except ServerProblem:
        return True
    return not libs.exists() and shutil.which("mvn") is None


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def free_ports(count: int) -> list[int]:
    """Below those that Linux gives to whoever connects, so that a broker that is begun again finds its ports free."""
    return list(islice(filter(is_free, random.sample(PORTS, len(PORTS))), count))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
