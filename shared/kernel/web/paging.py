"""Lists: keyset pages over (sort column, id), with signed cursors that belong to one query."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from sqlalchemy import ColumnElement, Date, DateTime, Select, Table, select, tuple_
from starlette.responses import Response

from kernel.domain.errors import Refused
from kernel.storage.catalog import live_version
from kernel.storage.views import Row, Rows
from kernel.web.policy import visible
from kernel.web.requests import Call
from kernel.web.tokens import TokenInvalid, sign, verify

Item = TypeVar("Item", bound=BaseModel)
MOST_ITEMS = 200


class CursorRefused(Refused):
    code = "CURSOR_INVALID"


class ListQuery(BaseModel):
    """Base of a list's query parameters; a subclass adds its filters and narrows `sort` to a `Literal`."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, description="at most 200; more is taken as 200")
    cursor: str | None = None
    sort: str = "-created_at"

    def filters(self) -> dict[str, Any]:
        return self.model_dump(exclude={"limit", "cursor", "sort"}, exclude_none=True, mode="json")


class Page(BaseModel, Generic[Item]):
    items: list[Item]
    next_cursor: str | None
    prev_cursor: str | None


async def list_page(
    call: Call,
    view: Rows,
    category: str,
    query: ListQuery,
    conditions: Callable[[Table], Sequence[ColumnElement[bool]]],
    item: Callable[[Row], BaseModel],
) -> Response:
    """One page of a view, under the caller's permission, read from the view's live version."""
    scope = call.policy.read_scope(call.principal, category)
    filters = sha256(to_json([query.filters(), call.principal.sub])).hexdigest()[:16]
    after, backwards = _place(call, query, filters)
    limit = min(query.limit, MOST_ITEMS)
    async with call.node.database.snapshot() as connection:
        table = view.table(await live_version(connection, view.name, view.shape))
        statement = select(table).where(visible(call.principal, scope, table), *conditions(table))
        statement = _keyset(statement, table, query.sort, after, backwards).limit(limit + 1)
        rows: list[Mapping[str, Any]] = [
            dict(row) for row in (await connection.execute(statement)).mappings()
        ]
    more, rows = len(rows) > limit, rows[:limit]
    if backwards:
        rows.reverse()
    following = rows and (more or backwards)
    preceding = rows and (more if backwards else after is not None)
    next_cursor = _cursor(call, query.sort, rows[-1], filters, backwards=False) if following else None
    prev_cursor = _cursor(call, query.sort, rows[0], filters, backwards=True) if preceding else None
    body = {"items": [item(row) for row in rows], "next_cursor": next_cursor, "prev_cursor": prev_cursor}
    headers = {"Cache-Control": "private, no-cache"}
    if next_cursor:
        url = call.request.url.include_query_params(cursor=next_cursor)
        headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return Response(to_json(body), headers=headers, media_type="application/json")


def _keyset(
    statement: Select[Any], table: Table, sort: str, after: Sequence[Any] | None, backwards: bool
) -> Select[Any]:
    column = table.c[sort.lstrip("-")]
    descending = sort.startswith("-") != backwards
    place = tuple_(column, table.c.id)
    if after is not None:
        bound = tuple_(_value(column, after[0]), UUID(after[1]))
        statement = statement.where(place < bound if descending else place > bound)
    if descending:
        return statement.order_by(column.desc(), table.c.id.desc())
    return statement.order_by(column, table.c.id)


def _value(column: ColumnElement[Any], text: Any) -> Any:
    """A cursor holds JSON; the database wants the column's own type."""
    if isinstance(column.type, DateTime):
        return datetime.fromisoformat(text)
    return date.fromisoformat(text) if isinstance(column.type, Date) else text


def _place(call: Call, query: ListQuery, filters: str) -> tuple[Sequence[Any] | None, bool]:
    if query.cursor is None:
        return None, False
    try:
        sort, backwards, after, of = verify(call.node.secret, "list", query.cursor)
    except (TokenInvalid, ValueError, TypeError):
        raise CursorRefused("The cursor was altered, or was not made here.") from None
    if sort != query.sort or of != filters:
        raise CursorRefused("The cursor was made for other filters or another sort.", code="CURSOR_MISMATCH")
    return after, backwards


def _cursor(call: Call, sort: str, row: Mapping[str, Any], filters: str, *, backwards: bool) -> str:
    return sign(call.node.secret, "list", [sort, backwards, [row[sort.lstrip("-")], row["id"]], filters])
