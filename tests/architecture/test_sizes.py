"""No file grows beyond what one reads in a sitting; ruff holds the functions."""

from tests.architecture.repository import name_of, product_files

CEILING = 250

# A file above the ceiling stands here with its own ceiling and the reason why it is not split.
EXCEPTIONS: dict[str, int] = {}


def test_no_file_is_longer_than_one_sitting() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in product_files()}
    too_long = {name: lines for name, lines in lengths.items() if lines > EXCEPTIONS.get(name, CEILING)}
    assert not too_long


def test_an_exception_that_is_no_longer_needed_is_taken_back() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in product_files()}
    assert [name for name in EXCEPTIONS if lengths.get(name, 0) <= CEILING] == []
