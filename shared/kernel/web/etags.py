"""Versions as entity tags: `"v3"` is the third fact of a stream."""

import re

from kernel.web.requests import BadHeader

_ETAG = re.compile(r'^(?:W/)?"v(\d{1,9})"$')


def etag(version: int) -> str:
    return f'"v{version}"'


def expected_version(if_match: str | None) -> int | None:
    """The version in `If-Match`; None when absent or `*`."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.match(if_match.strip())
    if not found:
        raise BadHeader('If-Match has the form "v3".', header="If-Match")
    return int(found[1])
