"""Where a service answers and with which token, for the commands that talk to one."""

import os

from crm.failures import Failure
from crm.local import Local


def url_of(name: str, said: str | None, local: Local) -> str:
    """What the user says; else what CRM_FEEDS says; else the `crm run` of this machine."""
    if said:
        return said.rstrip("/")
    pairs = (entry.strip().partition("=") for entry in os.environ.get("CRM_FEEDS", "").split(","))
    running = local.running() or {}
    known = {**running.get("urls", {}), **{key: url.rstrip("/") for key, _, url in pairs if url}}
    if name not in known:
        raise Failure(f"Where {name} answers is not known: start `crm run`, or say it with an option.")
    return str(known[name])


def token_of(role: str, said: str | None, local: Local) -> str:
    if said:
        return said
    if not (local.keys / "development.pem").exists():
        raise Failure("There is no development key here, so a token must be given with --token.")
    return local.token(role)
