"""Makes the environment .venv from the lock files, again only when they have changed; `uv` stops after the tool.

Run by `make` with the Python at hand, so it uses the standard library only.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
UV = ROOT / ".local" / "uv"
STAMP = VENV / ".made-from"
LOCKS = ["requirements-dev.lock", "requirements-uv.lock"]
SERVICES = sorted(ROOT.glob("services/*/pyproject.toml"))
CODE = ["shared", "services", "demo", "tests"]
PACKAGES = ["shared", *(str(path.parent.relative_to(ROOT)) for path in SERVICES)]


def main() -> None:
    if not (find_spec("venv") and find_spec("ensurepip")):
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        give_up(f"This Python has no venv module; on Debian and Ubuntu: apt-get install -y {package}")
    (ROOT / ".local").mkdir(exist_ok=True)
    with (ROOT / ".local" / "bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if sys.argv[1:] == ["uv"]:
            own_uv()
        elif not is_current():
            make()


def make() -> None:
    """Without its stamp an environment is half-made, and remade; with an old one it is brought up to date."""
    if not (STAMP.exists() and works(VENV / "bin" / "python") and belongs_here()):
        print("Making the environment .venv …", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        run(
            [sys.executable, "-m", "venv", "--without-pip", str(VENV)],
            "The environment .venv could not be made.",
        )
    else:
        print("Bringing the environment .venv up to date …", flush=True)
        STAMP.unlink()
    uv = own_uv()
    missing = (
        "Not every package could be installed: are the package index and the disk in order? Run make again."
    )
    # Compiled once: where Python may not write its caches, every process would compile a second and a half of imports.
    sync = [uv, "pip", "sync", "-q", "--compile-bytecode", "--require-hashes", "requirements-dev.lock"]
    run(sync, missing)
    editable = [word for package in PACKAGES for word in ("-e", "./" + package)]
    run([uv, "pip", "install", "-q", "--no-deps", "--no-build-isolation", *editable], missing)
    python = str(VENV / "bin" / "python")
    run([python, "-m", "compileall", "-q", *CODE], "The code could not be compiled.")
    STAMP.write_text(fingerprint())


def own_uv() -> str:
    """The uv of the lock, in an environment of its own, since a sync removes what the lock does not name."""
    program, stamp, lock = UV / "bin" / "uv", UV / ".made-from", ROOT / "requirements-uv.lock"
    if not (stamp.exists() and stamp.read_text() == lock.read_text() and works(program)):
        shutil.rmtree(UV, ignore_errors=True)
        failed = "uv could not be installed: is the package index reachable? Run make again."
        run([sys.executable, "-m", "venv", str(UV)], failed)
        pip = [str(UV / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        run([*pip, "--require-hashes", "-r", str(lock)], failed)
        stamp.write_text(lock.read_text())
    return str(program)


def is_current() -> bool:
    return STAMP.exists() and STAMP.read_text() == fingerprint() and works(VENV / "bin" / "python")


def belongs_here() -> bool:
    """The scripts of an environment name its place, so a moved or copied checkout needs a new one."""
    return STAMP.read_text().startswith(f"{ROOT}\n")


def works(program: Path) -> bool:
    """Whether it runs: the Python below an environment may have been removed since."""
    try:
        return subprocess.run([str(program), "--version"], capture_output=True, check=False).returncode == 0  # noqa: S603
    except OSError:
        return False


def fingerprint() -> str:
    """What the environment is made from: its place and the content of the files that say what is in it."""
    names = [*LOCKS, *(f"{package}/pyproject.toml" for package in PACKAGES)]
    digest = hashlib.sha256()
    for name in names:
        digest.update((ROOT / name).read_bytes())
    return f"{ROOT}\n{digest.hexdigest()}\n"


def run(command: list[str], sentence: str) -> None:
    environment = {**os.environ, "VIRTUAL_ENV": str(VENV), "UV_PYTHON_DOWNLOADS": "never"}
    if "PIP_INDEX_URL" in environment:
        # Who has told pip where the packages are need not tell uv as well.
        environment.setdefault("UV_DEFAULT_INDEX", environment["PIP_INDEX_URL"])
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:  # noqa: S603
        give_up(sentence)


def give_up(sentence: str) -> None:
    sys.exit(f"make: {sentence}")


if __name__ == "__main__":
    main()
