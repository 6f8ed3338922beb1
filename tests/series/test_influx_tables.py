"""Answers of InfluxDB as tables, and their times."""

from __future__ import annotations

import pytest

from ingest.series.influx_lines import instant_of, instants, time_ns
from ingest.series.influx_tables import NoAnswer, tables

HEADER = ",result,table,_time,_value\r\n"
ROWS = ",count 0,0,2026-11-24T10:00:00Z,60\r\n,count 0,0,2026-11-24T11:00:00Z,\r\n"
OTHER = ",result,table,_value,name\r\n,sum 0,0,1.5,{name}\r\n"


@pytest.mark.parametrize("name", ["a", '"a"'])
def test_a_quote_anywhere_changes_no_table(name: str) -> None:
    """Cut at once or read cell by cell, an answer has the same tables; empty cells and empty results count as such."""
    first, second = tables(f"{HEADER}{ROWS}\r\n{HEADER}\r\n{OTHER.format(name=name)}\r\n")
    assert first.column("_value") == ["60", ""]
    assert list(first.rows)[1] == ("", "count 0", "0", "2026-11-24T11:00:00Z", "")
    assert (second.column("name"), second.column("result")) == (["a"], ["sum 0"])


def test_a_quoted_line_end_ends_no_table() -> None:
    """An empty line between quotes is part of a value."""
    (table,) = tables(OTHER.format(name='"a\r\n\r\nb"'))
    assert table.column("name") == ["a\r\n\r\nb"]


@pytest.mark.parametrize("quoted", ["x", '"x"'])
@pytest.mark.parametrize("end", [",count 0,0,2026", "\r\nerror,reference\r\n{},897\r\n"])
def test_an_answer_that_breaks_off_is_none(end: str, quoted: str) -> None:
    """Neither a part of a row nor an error behind rows that were sent is taken for the end."""
    with pytest.raises(NoAnswer, match="broke off"):
        tables(f"{OTHER.format(name=quoted)}\r\n{HEADER}{ROWS}{end.format(quoted)}")


def test_another_servers_page_is_no_answer() -> None:
    """Whatever has no column ``table``."""
    with pytest.raises(NoAnswer, match="no InfluxDB"):
        tables("<html>\r\n</html>\r\n")


def test_times_read_together_are_those_read_singly() -> None:
    """Before 1970 too, with and without decimals."""
    texts = [
        "2026-11-24T10:00:00Z",
        "1677-09-21T00:12:43.145225Z",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
    ]
    assert instants(texts) == [instant_of(time_ns(text)) for text in texts]
    assert instants(texts[2:]) == [-1, 0]
