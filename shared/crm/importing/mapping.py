"""A map: which commands a row of a file becomes. `demo/README.md` describes the format."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kernel.domain.ids import named_id

from crm.failures import Failure
from crm.importing.values import ABSENT, CONVERTERS, Row, Surroundings, Unconvertible, Value
from crm.sending import Item

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_TOP = {"name", "service", "zone", "encoding", "delimiter", "columns", "unique", "lookup", "command"}
_COMMAND = {"command", "when", "id", "occurred_at", "data"}
_VALUE = {"column", "constant", "id", "text", "as", "lookup", "format", "currency", "scale", "default"}
_WHERE_A_VALUE_COMES_FROM = {"column", "constant", "id", "text"}
# A column that every file has: the row's number.
NUMBER = "#"


@dataclass(frozen=True, slots=True)
class Template:
    """One command of a row, made when its condition holds. Without an id of the map's it creates a record."""

    command: str
    holds: Callable[[Row], bool]
    id: Value | None
    occurred_at: Value
    data: Value

    def item(self, key: str, row: Row) -> Item:
        at, data = self.occurred_at(row), self.data(row)
        # The service forgets the key after some days, but never that a record is there.
        own = None if "id" in data else str(named_id("import", key))
        return Item(
            key=key,
            command=self.command,
            id=self.id(row) if self.id else own,
            data=data,
            occurred_at=None if at is ABSENT else at,
        )


@dataclass(frozen=True, slots=True)
class RowMap:
    name: str
    service: str
    encoding: str
    delimiter: str
    columns: Sequence[str]
    unique: Sequence[str]
    templates: Sequence[Template]
    needs: frozenset[str]
    digest: str

    def items(self, number: int, row: Row) -> Iterator[Item]:
        """The row's commands. The same row gives the same keys and ids, so that no record is made twice."""
        own = [row.get(column, "") for column in self.unique] or [str(number), *row.values()]
        key = sha256("\x1f".join((self.name, *own)).encode()).hexdigest()[:40]
        row = {**row, NUMBER: str(number)}
        for place, template in enumerate(self.templates):
            if template.holds(row):
                try:
                    yield template.item(f"{key}-{place}", row)
                except Unconvertible as error:
                    error.command = template.command
                    raise


def read_map(path: Path) -> RowMap:
    try:
        raw = path.read_bytes()
        said = tomllib.loads(raw.decode())
    except OSError as error:
        raise Failure(f"The map {path} cannot be read: {(error.strerror or '').lower()}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Failure(f"The map {path} is not valid TOML: {error}.") from None
    try:
        return Reader(said).mapping(path, sha256(raw).hexdigest())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise Failure(f"The map {path} is not right: {reason}.") from None


class Reader:
    """Turns what TOML says into functions of a row, and collects the columns they need."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        _only(said, _TOP, "the map")
        self._said = said
        self._needs: set[str] = set()
        try:
            zone = ZoneInfo(said.get("zone", "Asia/Shanghai"))
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{said['zone']!r} is not an IANA time zone") from None
        self._around = Surroundings(zone, said.get("lookup", {}))

    def mapping(self, path: Path, digest: str) -> RowMap:
        said = self._said
        unique = said.get("unique", [])
        templates = [self._template(command) for command in said["command"]]
        return RowMap(
            name=said.get("name", path.stem),
            service=said["service"],
            encoding=said.get("encoding", ""),
            delimiter=said.get("delimiter", ","),
            columns=said.get("columns", ()),
            unique=[unique] if isinstance(unique, str) else unique,
            templates=templates,
            needs=frozenset(self._needs.union([unique] if isinstance(unique, str) else unique) - {NUMBER}),
            digest=digest,
        )

    def _template(self, said: Mapping[str, Any]) -> Template:
        _only(said, _COMMAND, "a command")
        at = said.get("occurred_at")
        if isinstance(at, str):
            at = {"column": at, "as": "midnight"}
        return Template(
            command=said["command"],
            holds=self._condition(said.get("when", {})),
            id=self._record(said["id"]) if "id" in said else None,
            occurred_at=self._leaf(at, "occurred_at") if at else _constant(ABSENT),
            data=self._tree(said.get("data", {}), "data"),
        )

    def _condition(self, said: Mapping[str, Any]) -> Callable[[Row], bool]:
        """Column by column: a value, a list of them, `"*"` for any, `""` for none. All must hold."""
        self._needs.update(said)
        wanted = {
            column: [value] if isinstance(value, str) else list(value) for column, value in said.items()
        }

        def holds(row: Row) -> bool:
            return all(
                row[column] in values or ("*" in values and row[column] != "")
                for column, values in wanted.items()
            )

        return holds

    def _tree(self, said: Any, where: str) -> Value:
        """A table of fields, a list of them, or one value."""
        if isinstance(said, str) or (isinstance(said, dict) and _WHERE_A_VALUE_COMES_FROM & set(said)):
            return self._leaf(said, where)
        if isinstance(said, list):
            parts = [self._tree(part, where) for part in said]
            return lambda row: [value for part in parts if (value := part(row)) is not ABSENT]
        fields = {name: self._tree(part, f"{where}.{name}") for name, part in said.items()}
        return lambda row: {
            name: value for name, part in fields.items() if (value := part(row)) is not ABSENT
        }

    def _leaf(self, said: Any, where: str) -> Value:
        spec = {"column": said} if isinstance(said, str) else said
        _only(spec, _VALUE, where)
        if "constant" in spec:
            return _constant(spec["constant"])
        if "id" in spec:
            return self._named(spec["id"])
        if "text" in spec:
            return self._filled(spec["text"])
        return self._cell(spec, where)

    def _cell(self, spec: Mapping[str, Any], where: str) -> Value:
        column, name = spec["column"], spec.get("as", "text")
        if name not in CONVERTERS:
            raise ValueError(f"{where}: there is no converter {name!r}, only {', '.join(CONVERTERS)}")
        if name == "money":
            spec["currency"]
        convert, around = CONVERTERS[name], self._around
        table = around.lookups[spec["lookup"]] if "lookup" in spec else {}
        self._needs.add(column)

        def value(row: Row) -> Any:
            cell = table.get(row[column], row[column])
            if cell == "":
                return spec.get("default", ABSENT)
            try:
                return convert(cell, spec, around)
            except ValueError as error:
                raise Unconvertible(column, str(error)) from None

        return value

    def _record(self, template: str) -> Value:
        """The id of the command's record: a row that lacks it cannot say which record it means."""
        named, columns = self._named(template), _PLACEHOLDER.findall(template)

        def value(row: Row) -> Any:
            if (id_ := named(row)) is ABSENT:
                empty = next(column for column in columns if row[column] == "")
                raise Unconvertible(empty, "is empty, and the record's id is made of it")
            return id_

        return value

    def _named(self, template: str) -> Value:
        """An id made of the row: the same words give the same id."""
        filled = self._filled(template)
        return lambda row: ABSENT if (name := filled(row)) is ABSENT else str(named_id(name))

    def _filled(self, template: str) -> Value:
        """Words with the row's cells in them; nothing, where one of the cells is empty."""
        columns = _PLACEHOLDER.findall(template)
        self._needs.update(columns)

        def value(row: Row) -> Any:
            if any(row[column] == "" for column in columns):
                return ABSENT
            return _PLACEHOLDER.sub(lambda found: row[found[1]], template)

        return value


def _constant(value: Any) -> Value:
    return lambda _: value


def _only(said: Mapping[str, Any], allowed: set[str], where: str) -> None:
    unknown = sorted(set(said) - allowed)
    if unknown:
        raise ValueError(f"{where} does not know {', '.join(unknown)}")
