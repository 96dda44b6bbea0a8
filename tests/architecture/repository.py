"""Where the code of the product is."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ["contacts", "opportunities", "service_desk", "analytics"]


def product_files() -> Iterator[Path]:
    """Every Python file that we write and ship; generated migrations are not read by anybody."""
    for folder in ("shared", "services", "demo", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "versions" not in path.parts and "node_modules" not in path.parts:
                yield path


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
