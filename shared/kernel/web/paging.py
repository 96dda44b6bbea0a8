"""Lists: keyset pages over (sort column, id), with signed cursors that belong to one query."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args
from urllib.parse import urlencode
from uuid import UUID

from asyncpg import UndefinedTableError
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from sqlalchemy import Date, DateTime
from sqlalchemy.dialects.postgresql import JSONB

from kernel.domain.errors import Refused
from kernel.storage.catalog import live_version
from kernel.storage.codec import parsed
from kernel.storage.views import Row, Rows
from kernel.web.documents import Responses, read_responses
from kernel.web.page_sql import Asked, Selection, counting, statement
from kernel.web.policy import seen_as
from kernel.web.reads import PRIVATE
from kernel.web.requests import Answer, Call, json_headers, parsed_query, query_pairs
from kernel.web.tokens import TokenInvalid, sign, verify

Item = TypeVar("Item", bound=BaseModel)
MOST_ITEMS = 200
MOST_COUNTED = 10_000


class CursorRefused(Refused):
    code = "CURSOR_INVALID"


class ListQuery(BaseModel):
    """Base of a list's query parameters; a subclass adds its filters and narrows `sort` to a `Literal`."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, description="at most 200; more is taken as 200")
    cursor: str | None = None
    sort: str = "-created_at"
    include: Literal["total"] | None = Field(None, description=f"the total, counted up to {MOST_COUNTED:,}")

    def filters(self) -> dict[str, Any]:
        """What is asked for, by the name of the filter."""
        return self.model_dump(exclude={"limit", "cursor", "sort", "include"}, exclude_none=True, mode="json")


class Page(BaseModel, Generic[Item]):
    items: list[Item]
    next_cursor: str | None
    prev_cursor: str | None
    total: int | None = Field(None, description="of all pages; only with `include=total`")
    total_is_exact: bool | None = Field(None, description="false: there are more than `total`")


@dataclass(frozen=True, eq=False, kw_only=True)
class ListRead:
    """Pages of a view, under the caller's permission.

    An item has the columns of the same names, its `etag`, and what `other` makes of them and of the columns that it
    `needs` besides. A filter is equality with the column of its name, unless `conditions` has SQL for it, where `{}`
    stands for its value.
    """

    id: str
    path: str
    category: str
    view: Rows
    query: type[ListQuery]
    item: type[BaseModel]
    summary: str
    conditions: Mapping[str, str] = field(default_factory=dict)
    needs: Sequence[str] = ()
    other: Callable[[Row], Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        sorts = {sort.lstrip("-") for sort in get_args(self.query.model_fields["sort"].annotation)}
        if missing := sorts - {column.name for column in self._selection.columns}:
            raise ValueError(f"{self.id} needs {sorted(missing)}: a cursor holds what a list is sorted by")

    @property
    def model(self) -> Any:
        return Page[self.item]  # type: ignore[name-defined]

    @property
    def responses(self) -> Responses:
        return read_responses()

    def endpoint(self) -> Callable[..., Any]:
        Asked = self.query

        async def listed(query: Annotated[Asked, Query()]) -> None:  # type: ignore[valid-type]
            raise AssertionError(f"{self.id} is not among the reads of the app")

        return listed

    async def answer(self, call: Call, stream_id: UUID | None) -> Answer:
        scope = call.policy.read_scope(call.principal, self.category)
        said = query_pairs(call)
        query = parsed_query(self.query, said)
        filters = query.filters()
        digest = sha256(to_json([self.id, filters, call.principal.sub])).hexdigest()[:16]
        after, backwards = _place(call, query, digest)
        limit = min(query.limit, MOST_ITEMS)
        asked = Asked(limit + 1, tuple(filters), scope, query.sort, after is not None, backwards)
        named = [*seen_as(call.principal, scope), *filters.values()]
        rows = await self._rows(call, asked, [*named, *self._bound(query, after)])
        more, rows = len(rows) > limit, rows[:limit]
        if backwards:
            rows.reverse()
        following = rows and (more or backwards)
        preceding = rows and (more if backwards else after is not None)
        next_cursor = _cursor(call, query.sort, rows[-1], digest, backwards=False) if following else None
        prev_cursor = _cursor(call, query.sort, rows[0], digest, backwards=True) if preceding else None
        items = self._items(rows)
        page = {"items": items, "next_cursor": next_cursor, "prev_cursor": prev_cursor}
        if query.include:
            page |= await self._total(call, replace(asked, most=MOST_COUNTED + 1), named)
        content = to_json(page)
        headers = [*json_headers(content), PRIVATE]
        if next_cursor:
            other = [(name, value) for name, value in said if name != "cursor"]
            link = f'<{self.path}?{urlencode([*other, ("cursor", next_cursor)])}>; rel="next"'
            headers.append((b"link", link.encode()))
        return 200, headers, content

    def _bound(self, query: ListQuery, after: Sequence[Any] | None) -> Sequence[Any]:
        """A cursor holds JSON; the database wants the column's own type."""
        if after is None:
            return ()
        kind = next(c.type for c in self.view.columns if c.name == query.sort.lstrip("-"))
        place = after[0]
        if isinstance(kind, DateTime):
            place = datetime.fromisoformat(place)
        elif isinstance(kind, Date):
            place = date.fromisoformat(place)
        return place, UUID(after[1])

    async def _rows(self, call: Call, asked: Asked, values: Sequence[Any]) -> list[Row]:
        """One statement, which finds nothing in a version that is not the live one."""
        shown, name = call.node.catalog.shown, self.view.name
        async with call.node.database.reading() as connection:
            while True:
                version = shown.get(name)
                if version is None:
                    version = shown[name] = await live_version(connection, name, self.view.shape)
                rows: list[Row] = []
                gone: UndefinedTableError | None = None
                try:
                    rows = await connection.fetch(statement(self._selection, version, asked), name, *values)
                except UndefinedTableError as error:
                    gone = error
                if rows:
                    return rows
                # Empty, or of a version that is not live any more. What is live before and after was so in between.
                shown[name] = await live_version(connection, name, self.view.shape)
                if shown[name] == version:
                    if gone:
                        raise gone
                    return rows

    async def _total(self, call: Call, asked: Asked, values: Sequence[Any]) -> Mapping[str, Any]:
        """In the version that the page was found in."""
        version = call.node.catalog.shown[self.view.name]
        async with call.node.database.reading() as connection:
            found = await connection.fetchval(counting(self._selection, version, asked), *values)
        return {"total": min(found, MOST_COUNTED), "total_is_exact": found <= MOST_COUNTED}

    @cached_property
    def _selection(self) -> Selection:
        kept = {column.name: column for column in self.view.columns}
        wanted = [name for name in self.item.model_fields if name in kept]
        return Selection(self.view, [kept[name] for name in (*wanted, *self._dropped)], dict(self.conditions))

    @cached_property
    def _dropped(self) -> Sequence[str]:
        return [name for name in self.needs if name not in self.item.model_fields]

    @cached_property
    def _json(self) -> Sequence[str]:
        kept = {column.name for column in self.view.columns if isinstance(column.type, JSONB)}
        return [name for name in self.item.model_fields if name in kept]

    def _items(self, rows: Sequence[Row]) -> Sequence[Mapping[str, Any]]:
        if not rows:
            return ()
        # Faster than each row's own way of being made a dictionary.
        names = list(rows[0].keys())
        items = [dict(zip(names, row.values(), strict=True)) for row in rows]
        if self._dropped or self._json or self.other:
            for item, row in zip(items, rows, strict=True):
                self._finish(item, row)
        return items

    def _finish(self, item: dict[str, Any], row: Row) -> None:
        for name in self._dropped:
            del item[name]
        for name in self._json:
            item[name] = None if item[name] is None else parsed(item[name])
        if self.other is not None:
            item.update(self.other(row))


def _place(call: Call, query: ListQuery, filters: str) -> tuple[Sequence[Any] | None, bool]:
    if query.cursor is None:
        return None, False
    try:
        sort, backwards, after, of = verify(call.node.secret, "list", query.cursor)
    except (TokenInvalid, ValueError, TypeError):
        raise CursorRefused("The cursor was altered, or was not made here.") from None
    if sort != query.sort or of != filters:
        raise CursorRefused(
            "The cursor was made for another list, other filters or another sort.", code="CURSOR_MISMATCH"
        )
    return after, backwards


def _cursor(call: Call, sort: str, row: Row, filters: str, *, backwards: bool) -> str:
    return sign(call.node.secret, "list", [sort, backwards, [row[sort.lstrip("-")], row["id"]], filters])
