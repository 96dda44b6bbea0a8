"""How pages leave the house: templates, static files, and headers that allow nothing but our own styles."""

from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import Response

from analytics.console.visits import Visit

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Cookie, Accept-Language",
}
MEDIA_TYPES = {"console.css": "text/css", "icon.svg": "image/svg+xml"}
_STATIC = {name: (files("analytics.console") / "static" / name).read_bytes() for name in MEDIA_TYPES}
# The address changes with the content, so that browsers may keep a file for ever.
_PRINT = {name: sha256(content).hexdigest()[:12] for name, content in _STATIC.items()}

_templates = Environment(
    loader=PackageLoader("analytics.console"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals["static"] = lambda name: f"/console/static/{name}?v={_PRINT[name]}"


def page(visit: Visit, template: str, status: int = 200, **context: Any) -> Response:
    html = _templates.get_template(template).render(visit=visit, t=visit.t, **context)
    headers = HEADERS | {"Content-Language": visit.language}
    return Response(html, status, headers=headers, media_type="text/html")


def static_file(name: str) -> Response | None:
    if name not in _STATIC:
        return None
    headers = HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}
    del headers["Vary"]
    return Response(_STATIC[name], headers=headers, media_type=MEDIA_TYPES[name])
