"""Pages read as a browser without styles would: tables, forms, headings, and what must not be in them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br", "hr", "rect", "line"}


@dataclass
class Table:
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    foot: list[list[str]] = field(default_factory=list)
    caption: str = ""
    looks: list[list[str]] = field(default_factory=list)

    def by_name(self) -> dict[str, list[str]]:
        return {row[0]: row[1:] for row in self.rows}


class Html(HTMLParser):
    """`open` are the elements that are open; at the end there must be none."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.language = self.title = ""
        self.tables: dict[str, Table] = {}
        self.links: dict[str, str] = {}
        self.labels: set[str] = set()
        self.controls: list[str] = []
        self.scopeless = 0
        self.forbidden: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self._table: Table | None = None
        self._row: list[str] = []
        self._looks: list[str] = []
        self._href = ""
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("script", "style", "iframe", "object") or {"style", "onclick", "onload"} & said.keys():
            self.forbidden.append(tag)
        if tag == "html":
            self.language = said["lang"]
        elif tag == "table":
            self._table = self.tables[said["id"]] = Table()
        elif tag == "tr":
            self._row, self._looks = [], []
        elif tag in ("th", "td"):
            self._row.append("")
            self._looks.append(said.get("class", ""))
            self.scopeless += tag == "th" and "scope" not in said
        elif tag == "label":
            self.labels.add(said["for"])
        elif tag in ("input", "select") and said.get("type") != "hidden":
            self.controls.append(said["id"])
        elif tag == "a":
            self._href = said.get("href", "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self._open.pop() == tag
        if tag == "tr" and self._table is not None:
            section = next(name for name in reversed(self._open) if name in ("thead", "tbody", "tfoot"))
            if section == "thead":
                self._table.columns = self._row
            else:
                (self._table.rows if section == "tbody" else self._table.foot).append(self._row)
                self._table.looks.append(self._looks)
        elif tag == "table":
            self._table = None

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside in ("th", "td"):
            self._row[-1] += data
        elif inside == "caption" and self._table is not None:
            self._table.caption += data
        elif inside == "title":
            self.title += data
        elif "a" in self._open and data.strip():
            self.links.setdefault(data.strip(), self._href)
        if data.strip():
            self.text.append(data.strip())
