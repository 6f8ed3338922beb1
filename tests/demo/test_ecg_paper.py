"""The paper: what is drawn is as large as the standard says, measured from the SVG itself."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from app.demo.ecg_paper import MM, Strip, draw, path

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
SVG = "{http://www.w3.org/2000/svg}"


def points(data: str) -> list[list[tuple[float, float]]]:
    """The lines of path data made of M and l, each as its points in millimetres; each begins with a dot, left out."""
    lines: list[list[tuple[float, float]]] = []
    for sign, x, y in re.findall(r"([Ml])(-?\d+) (-?\d+)", data.replace("l0 0", "")):
        if sign == "M":
            lines.append([(int(x) / MM, int(y) / MM)])
        else:
            before = lines[-1][-1]
            lines[-1].append((before[0] + int(x) / MM, before[1] + int(y) / MM))
    return lines


def drawing(strips: list[Strip]) -> ET.Element:
    """The document, read as XML."""
    return ET.fromstring(draw(strips, "ECG & co", ["<one>", "two", "three"]))  # noqa: S314 - our own drawing


def traces(svg: ET.Element, lead: str) -> list[list[tuple[float, float]]]:
    """Every line drawn of a lead, each without its gaps."""
    found = [one.get("d", "") for one in svg.iter(f"{SVG}path") if one.get("data-lead") == lead]
    return [[point for line in points(data) for point in line] for data in found]


def twelve(value: float = 0.0) -> list[Strip]:
    """Twelve flat leads of 10 s at 100 Hz."""
    return [Strip(name, [value] * 1000, 10) for name in LEADS]


def test_a_second_is_25_mm() -> None:
    """Samples a second apart are drawn 25 mm apart, at any rate."""
    for period_ms in (1, 4, 1000 / 300):
        line = points(path(Strip("I", [0.0] * 4000, period_ms), 0, end_s=100))[0]
        assert line[round(1000 / period_ms)][0] - line[0][0] == pytest.approx(25, abs=0.002)


def test_rounding_does_not_add_up() -> None:
    """After 10 s at a rate whose period is no whole micrometre, the line is where it belongs."""
    line = points(path(Strip("I", [0.0001 * n for n in range(3000)], 1000 / 300), 0))[0]
    assert line[2999][0] - line[0][0] == pytest.approx(2999 / 300 * 25, abs=0.002)
    assert line[2999][1] == pytest.approx(-2.999, abs=0.001)


def test_a_millivolt_is_10_mm_upwards() -> None:
    """1 mV is drawn 10 mm above 0 mV, and -0.5 mV 5 mm below it."""
    (line,) = points(path(Strip("I", [0.0, 1.0, -0.5], 1), 100 * MM))
    assert [y for _, y in line] == [100, 90, 105]


def test_a_missing_sample_is_a_gap() -> None:
    """The line ends before a missing sample and begins anew after it, at its own time."""
    before, after = points(path(Strip("I", [0.1, 0.1, None, 0.2, 0.2], 40), 0))
    assert (len(before), len(after)) == (2, 2)
    assert after[0][0] - before[0][0] == pytest.approx(3)


def test_a_lone_sample_is_seen() -> None:
    """A sample between two gaps is drawn."""
    assert re.fullmatch(r"M\d+ -5000l0 0", path(Strip("I", [None, 0.5, None], 1), 0))


def test_the_page_is_a4_and_a_unit_a_micrometre() -> None:
    """The document says its size in millimetres, and its own units are thousandths of them."""
    svg = drawing(twelve())
    assert (svg.get("width"), svg.get("height"), svg.get("viewBox")) == ("297mm", "210mm", "0 0 297000 210000")


def test_the_grid_has_lines_each_1_and_5_mm() -> None:
    """Thin lines stand 1 mm apart and strong ones 5 mm apart, in both directions, from edge to edge of the paper."""
    svg = drawing(twelve())
    for kind, step in (("minor", 1), ("major", 5)):
        (data,) = [one.get("d", "") for one in svg.iter(f"{SVG}path") if one.get("class") == kind]
        upright = [int(x) / MM for x in re.findall(r"M(\d+) \d+v", data)]
        level = [int(y) / MM for y in re.findall(r"M\d+ (\d+)h", data)]
        for lines, length in ((upright, 275), (level, 160)):
            assert {b - a for a, b in pairwise(lines)} == {step}
            assert lines[-1] - lines[0] == length


def test_the_zero_lines_lie_on_the_grid() -> None:
    """0 mV of each row lies on a strong line, so that heights can be counted in squares."""
    svg = drawing(twelve())
    strong = next(one.get("d", "") for one in svg.iter(f"{SVG}path") if one.get("class") == "major")
    level = {int(y) / MM for y in re.findall(r"M\d+ (\d+)h", strong)}
    zeros = {line[0][1] for lead in LEADS for line in traces(svg, lead)}
    assert len(zeros) == 4
    assert zeros <= level


def test_each_row_begins_with_the_pulse_of_1_mv_and_200_ms() -> None:
    """The calibration pulse is 10 mm high and 5 mm wide, once a row."""
    pulses = [one.get("d", "") for one in drawing(twelve()).iter(f"{SVG}path") if "pulse" in one.get("class", "")]
    assert len(pulses) == 4
    for data in pulses:
        assert re.findall(r"([hv])(-?\d+)", data) == [
            ("h", "2500"), ("v", "-10000"), ("h", "5000"), ("v", "10000"), ("h", "2500"),
        ]  # fmt: skip


def test_twelve_leads_stand_in_the_usual_places() -> None:
    """Four columns of 2.5 s that follow each other in time, three rows, and lead II through 10 s below."""
    svg = drawing(twelve())
    begin = {lead: traces(svg, lead)[0][0] for lead in LEADS}
    columns = [{begin[lead][0] for lead in LEADS[at : at + 3]} for at in range(0, 12, 3)]
    assert all(len(column) == 1 for column in columns)
    xs = [column.pop() for column in columns]
    assert [x - xs[0] for x in xs] == [0, 62.5, 125, 187.5]
    assert begin["I"][1] < begin["II"][1] < begin["III"][1]
    short, rhythm = traces(svg, "II")
    assert short[-1][0] - short[0][0] == pytest.approx(62.25)  # 249 steps of 10 ms
    assert rhythm[-1][0] - rhythm[0][0] == pytest.approx(249.75)
    assert rhythm[0][1] > begin["III"][1]


def test_other_leads_stand_below_each_other() -> None:
    """Without the twelve, each lead is drawn once and whole."""
    svg = drawing([Strip("unspecified", [0.0] * 100, 10), Strip("II", [0.0] * 100, 10)])
    assert [len(traces(svg, lead)) for lead in ("unspecified", "II")] == [1, 1]
    assert traces(svg, "unspecified")[0][0][1] < traces(svg, "II")[0][0][1]


def test_words_are_escaped() -> None:
    """A title with an ampersand and a note with a bracket come out as they went in."""
    words = [one.text for one in drawing(twelve()).iter(f"{SVG}text")]
    assert {"ECG & co", "<one>", "three", "25 mm/s", "10 mm/mV", *LEADS} <= set(words)
