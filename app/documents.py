"""The page at ``/docs``: every route with what it takes, drawn from the OpenAPI document. Loads nothing from elsewhere.

Comes in: the document. Goes out: HTML. Refuses to know: requests.
"""

from __future__ import annotations

from html import escape
from typing import Any

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font-family:sans-serif;max-width:60em;margin:2em auto}}code{{background:#eee}}td{{padding:.2em
.6em}}</style> <h1>{title} {version}</h1><p>The same for programs: <a href="/openapi.json">openapi.json</a>;
FHIR: <a href="/fhir/metadata">/fhir/metadata</a>.</p><table>{rows}</table></html>"""


def page(document: dict[str, Any]) -> str:
    """One line a route: method, path, what it is, its parameters."""
    rows = "".join(
        f"<tr><td>{escape(method.upper())}</td><td><code>{escape(path)}</code></td><td>{escape(_told(route))}</td></tr>"
        for path, methods in document["paths"].items()
        for method, route in methods.items()
    )
    return _PAGE.format(title=escape(document["info"]["title"]), version=escape(document["info"]["version"]), rows=rows)


def _told(route: dict[str, Any]) -> str:
    names = [parameter["name"] for parameter in route.get("parameters", ())]
    asked = f" ({', '.join(names)})" if names else ""
    return f"{route.get('description', route['summary'])}{asked}"
