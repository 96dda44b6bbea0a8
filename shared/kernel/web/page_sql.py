"""The one statement of a page: in the order of the list, from the place on, under the caller's permission."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, DateTime, Uuid

from kernel.storage.views import Rows
from kernel.web.policy import VISIBLE, Scope


@dataclass(frozen=True, eq=False, slots=True)
class Selection:
    """What a list shows of its view, and the SQL of filters that are not equality with the column of their name."""

    view: Rows
    columns: Sequence[Column[Any]]
    conditions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the text of a statement depends on.

    `most` is in the text, because the database plans anew, each time, for a limit that it is told with the values.
    """

    most: int
    filters: tuple[str, ...]
    scope: Scope
    sort: str
    follows: bool
    backwards: bool


@lru_cache(maxsize=4096)
def statement(selection: Selection, version: int, asked: Asked) -> str:
    """Its parameters: the view's name, then the permission's, the filters' and the place's."""
    columns = ", ".join(map(_selected, selection.columns))
    column = asked.sort.lstrip("-")
    descending = asked.sort.startswith("-") != asked.backwards
    conditions = [f"(SELECT version FROM views WHERE name = $1 AND live) = {version}"]
    conditions += _conditions(selection, asked)
    if asked.follows:
        conditions.append(f'(listed."{column}", listed.id) {"<" if descending else ">"} ({{}}, {{}})')
    where = _numbered(conditions, 2)
    direction = "DESC" if descending else "ASC"
    return (
        f"""SELECT {columns}, '"v' || version || '"' AS etag """
        f'FROM "{selection.view.table(version).name}" AS listed WHERE {where} '
        f'ORDER BY listed."{column}" {direction}, listed.id {direction} LIMIT {asked.most}'
    )


@lru_cache(maxsize=1024)
def counting(selection: Selection, version: int, asked: Asked) -> str:
    """How many there are on all pages, up to `most`. Its parameters: the permission's and the filters'."""
    where = _numbered(_conditions(selection, asked), 1)
    table = selection.view.table(version).name
    return f'SELECT count(*) FROM (SELECT FROM "{table}" AS listed WHERE {where} LIMIT {asked.most}) AS found'


def _conditions(selection: Selection, asked: Asked) -> list[str]:
    named = [selection.conditions.get(name, f'listed."{name}" = {{}}') for name in asked.filters]
    return [VISIBLE[asked.scope], *named]


def _numbered(conditions: Sequence[str], first: int) -> str:
    where = " AND ".join(conditions)
    return where.format(*(f"${n}" for n in range(first, first + where.count("{}"))))


def _selected(column: Column[Any]) -> str:
    """Ids and times as the text that they have in JSON: the driver makes its objects of them several times slower."""
    name = f'listed."{column.name}"'
    if isinstance(column.type, Uuid):
        return f'{name}::text AS "{column.name}"'
    if isinstance(column.type, DateTime):
        text = f"""to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        return f"""replace({text}, '.000000Z', 'Z') AS "{column.name}\""""
    return name
