"""An ECG on millimetre paper, as SVG: 25 mm/s, 10 mm/mV, true to size when printed.

Comes in: strips of millivolts. Goes out: one SVG document on A4, landscape. Refuses to know: FHIR, files, who the
patient is. One user unit of the drawing is a micrometre, so that coordinates are whole numbers and what is drawn can
be measured. A missing sample is a gap in the line; nothing is filtered or smoothed.

Layout and calibration: the usual 12-lead format, three rows of four leads, 2.5 s each, above one lead through the
whole 10 s; the pulse at the left of each row is 1 mV for 200 ms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

MM = 1000
"""User units in a millimetre."""
PER_S, PER_MV = 25 * MM, 10 * MM
SECONDS = 10.0
"""What fits on the paper."""

_PAGE = (297 * MM, 210 * MM)
_GRID = (11 * MM, 28 * MM, 275 * MM, 160 * MM)  # left, top, width, height: whole 5 mm squares
_ZERO_X = _GRID[0] + 15 * MM  # where second 0 is, behind the pulse
_ROWS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
_RHYTHM = "II"
_COLUMN_S = 2.5
_ROW = 40 * MM

_STYLE = (
    ".minor{stroke:#f3cbc2;stroke-width:100}.major{stroke:#e39d8e;stroke-width:180}"
    ".trace{stroke:#16181d;stroke-width:280;stroke-linejoin:round;stroke-linecap:round}"
    ".mark{stroke:#16181d;stroke-width:220}path{fill:none}"
    "text{font-family:'DejaVu Sans',Verdana,Arial,sans-serif;fill:#16181d}"
    ".lead{font-size:3800px;font-weight:bold;paint-order:stroke;stroke:#fffdfa;stroke-width:1400}"
    ".title{font-size:5200px;font-weight:bold}.note{font-size:3200px;fill:#4a4f59}"
)


@dataclass(frozen=True, slots=True)
class Strip:
    """A lead: samples in millivolts, one each ``period_ms`` from second 0; None is a missing one."""

    name: str
    millivolts: Sequence[float | None]
    period_ms: float


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a strip, or ``begin_s``..``end_s`` of it, is drawn: ``y`` is its 0 mV."""

    strip: Strip
    y: int
    begin_s: float
    end_s: float


def draw(strips: Sequence[Strip], title: str, notes: Sequence[str] = ()) -> str:
    """The document; ``notes`` stand below the title and, from the third on, below the paper."""
    places = _standard(strips) or _stacked(strips)
    width, height = _PAGE
    size = f'width="{width // MM}mm" height="{height // MM}mm" viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_paper(),
        *_words(title, notes),
        *(_pulse(y) for y in sorted({place.y for place in places})),
        *(part for place in places for part in _drawn(place)),
        "</svg>\n",
    ]
    return "\n".join(parts)


def path(strip: Strip, y: int, begin_s: float = 0.0, end_s: float = SECONDS) -> str:
    """The line of a strip from ``begin_s`` up to ``end_s`` as SVG path data, its 0 mV at ``y``."""
    words: list[str] = []
    at: tuple[int, int] | None = None
    for number, value in enumerate(strip.millivolts):
        second = number * strip.period_ms / 1000
        if not begin_s <= second < end_s:
            continue
        if value is None:
            at = None
            continue
        point = round(_ZERO_X + second * PER_S), round(y - value * PER_MV)
        # An end without length, drawn with a round cap, is how a lone sample between two gaps is seen.
        words.append(f"M{point[0]} {point[1]}l0 0" if at is None else f"l{point[0] - at[0]} {point[1] - at[1]}")
        at = point
    return "".join(words)


def _standard(strips: Sequence[Strip]) -> list[_Place]:
    """Places for twelve leads; none when one of them is not there."""
    named = {strip.name: strip for strip in strips}
    if not {name for row in _ROWS for name in row} <= named.keys():
        return []
    first = _GRID[1] + _ROW // 2
    places = [
        _Place(named[name], first + row * _ROW, column * _COLUMN_S, (column + 1) * _COLUMN_S)
        for row, names in enumerate(_ROWS)
        for column, name in enumerate(names)
    ]
    return [*places, _Place(named[_RHYTHM], first + len(_ROWS) * _ROW, 0, SECONDS)]


def _stacked(strips: Sequence[Strip]) -> list[_Place]:
    """Places for any other set: each lead through its whole length, one below the other."""
    step = min(_ROW, _GRID[3] // max(len(strips), 1))
    return [_Place(strip, _GRID[1] + step // 2 + number * step, 0, SECONDS) for number, strip in enumerate(strips)]


def _paper() -> Iterator[str]:
    left, top, width, height = _GRID
    yield f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="#fffdfa"/>'
    for kind, step in (("minor", MM), ("major", 5 * MM)):
        upright = "".join(f"M{x} {top}v{height}" for x in range(left, left + width + 1, step))
        level = "".join(f"M{left} {y}h{width}" for y in range(top, top + height + 1, step))
        yield f'<path class="{kind}" d="{upright}{level}"/>'


def _words(title: str, notes: Sequence[str]) -> Iterator[str]:
    left, top, width, height = _GRID
    yield f'<text class="title" x="{left}" y="{12 * MM}">{escape(title)}</text>'
    for number, note in enumerate(notes):
        y = 18 * MM + number * 5 * MM if number < 2 else top + height + 6 * MM + (number - 2) * 5 * MM  # noqa: PLR2004 - as said above
        yield f'<text class="note" x="{left}" y="{y}">{escape(note)}</text>'
    scale = f'<text class="note" text-anchor="end" x="{left + width}" y="{{}}">{{}}</text>'
    yield scale.format(18 * MM, "25 mm/s")
    yield scale.format(23 * MM, "10 mm/mV")


def _pulse(y: int) -> str:
    """1 mV for 200 ms."""
    return (
        f'<path class="trace pulse" d="M{_ZERO_X - 12 * MM} {y}h{2.5 * MM:.0f}v-{PER_MV}h{PER_S // 5}v{PER_MV}'
        f'h{2.5 * MM:.0f}"/>'
    )


def _drawn(place: _Place) -> Iterator[str]:
    x = round(_ZERO_X + place.begin_s * PER_S)
    if place.begin_s > 0:
        yield f'<path class="mark" d="M{x} {place.y - 2 * MM}v{4 * MM}"/>'
    name = escape(place.strip.name, quote=True)
    line = path(place.strip, place.y, place.begin_s, place.end_s)
    yield f'<path class="trace" data-lead="{name}" d="{line}"/>'
    yield f'<text class="lead" x="{x + MM}" y="{place.y - 13 * MM}">{name}</text>'
