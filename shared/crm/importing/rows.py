"""The rows of a CSV file, numbered as they stand there, in whichever of the usual encodings it has."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from crm.failures import Failure
from crm.importing.mapping import RowMap

_PIECE = 1 << 20
NumberedRow = tuple[int, dict[str, str]]


def encoding_of(path: Path) -> str:
    """UTF-8, with a mark or without; else GB18030, which Chinese spreadsheets write."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        first = file.read(4)
        if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        file.seek(0)
        try:
            while piece := file.read(_PIECE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "gb18030"
    return "utf-8-sig"


def read_rows(path: Path, mapping: RowMap) -> Iterator[NumberedRow]:
    try:
        encoding = mapping.encoding or encoding_of(path)
        with path.open(encoding=encoding, newline="") as file:
            yield from numbered(_reader(file, mapping), path, mapping)
    except OSError as error:
        raise Failure(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from None
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is not text in {error.encoding}: say the encoding in the map.") from None
    except csv.Error as error:
        raise Failure(f"{path} is not a CSV file: {error}.") from None


def _reader(file: Iterator[str], mapping: RowMap) -> Iterator[list[str]]:
    if mapping.delimiter == " ":
        # Columns of a fixed width, with as many spaces between them as it takes.
        return (line.split() for line in file)
    return csv.reader(file, delimiter=mapping.delimiter)


def numbered(lines: Iterator[list[str]], path: Path, mapping: RowMap) -> Iterator[NumberedRow]:
    columns: Sequence[str] = mapping.columns or [name.strip() for name in next(lines, [])]
    missing = sorted(mapping.needs - set(columns))
    if missing:
        raise Failure(f"{path} has no column {', '.join(missing)}; it has {', '.join(columns)}.")
    for number, cells in enumerate(lines, start=1):
        if cells:
            padded = cells + [""] * (len(columns) - len(cells))
            yield number, {name: cell.strip() for name, cell in zip(columns, padded, strict=False)}
