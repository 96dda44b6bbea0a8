"""Requests to the opportunities service: for every operation its documented example, and a record that it fits."""

from typing import Any

import httpx
from kernel.web.commands import CommandBody
from opportunities.app import operations
from pydantic_core import to_jsonable_python

from tests.opportunities.calls import ask, create, define, place
from tests.opportunities.examples import GRACE
from tests.support.requests import Json, Requests

OWNER: Any = {"owner_id": str(GRACE), "owner_team": "south"}


def example(body: type[CommandBody]) -> Json:
    """The first example of every field that has one, as the documentation shows them."""
    fields = body.model_fields.items()
    said = {name: field.examples[0] for name, field in fields if field.examples and name != "occurred_at"}
    made: Json = to_jsonable_python(said)
    return made


async def record_for(client: httpx.AsyncClient, name: str) -> str | None:
    """Of Grace's, where it can be anybody's; a deal in a pipeline that must be there before."""
    kind, _, what = name.partition(".")
    if what in ("create", "place", "define"):
        return None
    if kind == "pipelines":
        made = str((await define(client))["id"])
        if what == "reinstate":
            await send(client, "pipelines.retire", made)
        return made
    if kind == "orders":
        return str((await place(client, **OWNER))["id"])
    deal = await create(client, **OWNER)
    await ask(client, deal, "enter-stage", stage_id="proposal")
    if what == "reopen":
        await send(client, "opportunities.lose", deal["id"])
    return str(deal["id"])


OURS = Requests(operations, {operation.id: example(operation.body) for operation in operations}, record_for)
send = OURS.send
