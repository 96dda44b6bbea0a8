"""`crm feed`: what a service publishes, one CloudEvent on a line."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
from pydantic_core import from_json, to_json

from crm import services
from crm.addresses import token_of, url_of
from crm.failures import Failure
from crm.local import Local
from crm.sending import refusal

PAGE = 1000
WAIT = 25.0


def print_feed(
    name: str,
    *,
    url: str | None,
    token: str | None,
    folder: Path | None,
    after: int,
    cursor: str | None,
    follow: bool,
    types: str,
) -> None:
    name, local = services.known(name), Local(folder)
    address = url_of(name, url, local)
    headers = {"Authorization": f"Bearer {token_of('service', token, local)}"}
    asked: dict[str, str | int | float] = {"limit": PAGE, "types": types}
    asked |= {"last_event_id": cursor} if cursor else {"after": after}
    with httpx.Client(
        base_url=address, headers=headers, timeout=httpx.Timeout(10, read=WAIT + 10), trust_env=False
    ) as client:
        for page in pages(client, asked, follow=follow):
            for event in page:
                sys.stdout.buffer.write(to_json(event) + b"\n")
            sys.stdout.buffer.flush()


def pages(
    client: httpx.Client, asked: dict[str, str | int | float], *, follow: bool
) -> Iterator[list[object]]:
    """Up to the newest record; with `follow` the pages that come later too."""
    position = ""
    while True:
        try:
            answer = client.get("/v1/feed", params={**asked, "timeout": WAIT if follow else 0})
        except httpx.TransportError as error:
            raise Failure(f"{client.base_url} does not answer: {error}.") from None
        if not answer.is_success:
            raise Failure(f"The feed of {client.base_url} refused: {refusal(answer)}")
        found = from_json(answer.content)
        yield found
        # A page without a record of the wanted types is not the end yet; one that gets no further is.
        if not follow and answer.headers["Feed-Position"] == position:
            return
        position = answer.headers["Feed-Position"]
        asked = {"limit": PAGE, "types": asked["types"], "last_event_id": answer.headers["Feed-Cursor"]}
