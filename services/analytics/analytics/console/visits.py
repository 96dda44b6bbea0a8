"""One request for a page: whose it is, in which language, with which choices; and the links that keep them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from kernel.messaging.service import Node
from pydantic import BaseModel, ValidationError

from analytics.answering import AsOf
from analytics.asking import FiguresQuery
from analytics.console.texts import LANGUAGES, Text, text_in
from analytics.reading import company_zone

Query = TypeVar("Query", bound=BaseModel)
# What goes along wherever the visitor goes: every page then speaks of the same.
_GOES_ALONG = ("lang", "zone", "as_of_position", "as_of_time")


@dataclass(frozen=True, slots=True)
class Visit:
    """`chosen` are the parameters that are not empty; `t` says things in the visitor's language."""

    node: Node
    origin: str
    path: str
    chosen: Mapping[str, str]
    language: str
    t: Text

    @property
    def languages(self) -> Mapping[str, str]:
        return LANGUAGES

    @property
    def zone(self) -> ZoneInfo:
        named = self.read(FiguresQuery).zone
        return ZoneInfo(named) if named else company_zone(self.node)

    def read(self, question: type[Query], **changes: str) -> Query:
        """The question that the choices make; parameters of other questions are passed over."""
        known = {field.alias or name for name, field in question.model_fields.items()}
        said = {name: value for name, value in {**self.chosen, **changes}.items() if name in known}
        try:
            return question.model_validate(said)
        except ValidationError as error:
            found: list[dict[str, Any]] = [
                {"loc": ("query", *entry["loc"]), "type": entry["type"], "msg": entry["msg"]}
                for entry in error.errors(include_url=False, include_context=False, include_input=False)
            ]
            raise RequestValidationError(found) from None

    def href(self, path: str | None = None, **changes: object) -> str:
        """This page, or another, with the same choices but for the changes; None takes a choice back."""
        said = {**self.chosen, **{name.rstrip("_"): value for name, value in changes.items()}}
        query = urlencode({name: value for name, value in said.items() if value is not None})
        return f"{path or self.path}?{query}" if query else (path or self.path)

    def again(self, as_of: AsOf) -> str:
        """This page with the figures that it shows now, whenever it is opened."""
        at = as_of.as_of_time.isoformat().replace("+00:00", "Z")
        return self.href(as_of_position=as_of.as_of_position, as_of_time=at)

    def newest(self) -> str:
        return self.href(as_of_position=None, as_of_time=None)

    @property
    def kept(self) -> Mapping[str, str]:
        return {name: self.chosen[name] for name in _GOES_ALONG if name in self.chosen}

    def link(self, path: str) -> str:
        """Another page, in the same language and as of the same position and time, else with its own defaults."""
        query = urlencode(self.kept)
        return f"{path}?{query}" if query else path


def visit(node: Node, request: Request) -> Visit:
    chosen = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    language = chosen.get("lang") or _preferred(request.headers.get("accept-language", ""))
    if language not in LANGUAGES:
        chosen.pop("lang", None)
        language = "en"
    origin = str(request.base_url).rstrip("/")
    return Visit(node, origin, request.url.path, chosen, language, text_in(language))


def _preferred(header: str) -> str:
    """The first of the browser's languages that there is; their order says enough."""
    for entry in header.split(","):
        language = entry.split(";")[0].strip().lower().split("-")[0]
        if language in LANGUAGES:
            return language
    return "en"
