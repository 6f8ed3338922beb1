"""InfluxDB misbehaves: the ledger is unaffected, nothing is skipped or doubled, and a person is told in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from ingest.ledger.balance import balance
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.schema import CURSOR, MEASUREMENT
from ingest.series.faults import SeriesUnavailable
from ingest.series.influx import InfluxSeries
from ingest.series.influx_server import Place, Server
from ingest.series.lag import CURSOR_NAME, lag
from ingest.series.port import Span
from ingest.series.projector import Projector
from tests.support import influx_stand_in as stand_in
from tests.support.influx_stand_in import TOKEN, Handler, StandIn, standing_in
from tests.support.ledgers import NOW, reading
from tests.support.published import publish

READINGS = 20
Fault = Callable[[Handler, list[str]], None]
FAULTS: dict[str, tuple[Fault, str]] = {
    "busy": (stand_in.refuses(503), "too busy"),
    "too many": (stand_in.refuses(429), "too busy"),
    "full": (stand_in.refuses(500, "error writing WAL entry: no space left on device"), "no room left"),
    "broken": (stand_in.refuses(500), "answered 500"),
    "no bucket": (stand_in.refuses(404), "no such organisation or bucket"),
    "no right": (stand_in.refuses(403), "does not let this token"),
    "too large": (stand_in.refuses(413), "single line as too large"),
    "malformed": (stand_in.refuses(400, "unable to parse 'systolic,device=bp-0001'"), "the point of journal row 1"),
    "partial": (stand_in.keeps_part, "refuses the point of journal row"),
    "cut": (stand_in.cuts, "the line was cut"),
    "slow": (stand_in.is_slow, "longer than 0.3 s"),
    "another server": (stand_in.is_another, "answered 200"),
}  # fmt: skip


@pytest.fixture
def influx() -> Iterator[StandIn]:
    """A server to play with."""
    with standing_in() as state:
        yield state


@pytest.fixture
def file(tmp_path: Path) -> Iterator[OpenLedger]:
    """A ledger with published readings."""
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        publish(opened, *(reading(seq, 100 + seq) for seq in range(READINGS)))
        yield opened


@pytest.fixture
def series(influx: StandIn, tmp_path: Path) -> InfluxSeries:
    """A series there."""
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    return InfluxSeries(Server(Place(influx.url, "org", "bucket", token, 0.3)))


def project(file: OpenLedger, series: InfluxSeries) -> None:
    """All there is, and the cursor."""
    projector = Projector(file, series)
    while projector.step():
        pass
    projector._remember()  # noqa: SLF001 - what `run` does when nothing is left


def cursor(file: OpenLedger) -> int | None:
    """Where the next projector would go on."""
    with file.readers.connect() as connection:
        return connection.execute(select(CURSOR.c.position).where(CURSOR.c.name == CURSOR_NAME)).scalar()


def measured(file: OpenLedger) -> int:
    """How many points there should be."""
    with file.readers.connect() as connection:
        return len(connection.execute(select(MEASUREMENT)).all())


@pytest.mark.parametrize("name", FAULTS)
def test_what_goes_wrong_is_told_and_mended_by_itself(
    name: str, influx: StandIn, file: OpenLedger, series: InfluxSeries
) -> None:
    """The cursor stays, the ledger balances, and when it is mended every point is there once."""
    fault, words = FAULTS[name]
    influx.fault = fault
    projector = Projector(file, series)
    for _ in range(2):
        with pytest.raises(SeriesUnavailable) as told:
            projector.step()
        assert words in told.value.happened
    assert not {"bp-0001", "systolic", TOKEN, "128"} & set(str(told.value).replace("'", " ").replace(",", " ").split())
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__
    assert cursor(file) in {0, None}
    with file.readers.connect() as connection:
        assert balance(connection).stored == READINGS
        assert lag(connection, NOW).readings == READINGS
    influx.fault = None
    while projector.step():
        pass
    projector._remember()  # noqa: SLF001 - what `run` does when nothing is left
    assert len(influx.points()) == measured(file) == 2 * READINGS
    with file.readers.connect() as connection:
        assert lag(connection, NOW).readings == 0


def test_a_server_that_is_down_is_waited_for(file: OpenLedger, tmp_path: Path) -> None:
    """Nobody answers: it says so, with the address."""
    (tmp_path / "token").write_text(TOKEN)
    series = InfluxSeries(Server(Place("http://127.0.0.1:9", "org", "bucket", tmp_path / "token", 0.3)))
    with pytest.raises(SeriesUnavailable, match=r"127\.0\.0\.1:9 did not answer: nobody answers there"):
        Projector(file, series).step()
    with pytest.raises(SeriesUnavailable):
        series.range("systolic", [Span("bp-0001", 0, NOW)], 1)


def test_a_batch_that_is_too_large_is_written_in_parts(influx: StandIn, file: OpenLedger, series: InfluxSeries) -> None:
    """Whatever limit stands before InfluxDB."""
    influx.fault = stand_in.takes_few
    project(file, series)
    assert len(influx.points()) == measured(file)


def test_what_is_not_refused_in_parts_is_confirmed(influx: StandIn, file: OpenLedger, series: InfluxSeries) -> None:
    """A batch that is refused as a whole although each of its lines is good is there, and the cursor moves."""
    influx.fault = lambda handler, lines: (
        stand_in.refuses(400)(handler, lines) if len(lines) > 1 else stand_in.takes_few(handler, lines)
    )
    project(file, series)
    assert len(influx.points()) == measured(file)
    assert cursor(file)


@pytest.mark.parametrize("content", ["", " \n", "tok\nen", "tokén", None, b"\xff"])
def test_a_token_that_cannot_be_one_is_not_sent(
    content: str | bytes | None, influx: StandIn, file: OpenLedger, series: InfluxSeries, tmp_path: Path
) -> None:
    """It says which file, and when there is a token in it, goes on."""
    token = tmp_path / "token"
    if content is None:
        token.unlink()
    else:
        token.write_bytes(content if isinstance(content, bytes) else content.encode())
    projector = Projector(file, series)
    with pytest.raises(SeriesUnavailable, match="CONSTANTES_SERIES__TOKEN_FILE"):
        projector.step()
    token.write_text(TOKEN)
    assert projector.step()


def test_a_token_that_was_replaced_is_read_again(
    influx: StandIn, file: OpenLedger, series: InfluxSeries, tmp_path: Path
) -> None:
    """InfluxDB refuses the old one once; neither is in what is said."""
    projector = Projector(file, series)
    influx.token = "another-token"
    with pytest.raises(SeriesUnavailable, match="does not accept the token") as told:
        projector.step()
    assert TOKEN not in str(told.value)
    (tmp_path / "token").write_text("another-token")
    assert projector.step()
    assert projector.notice is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\r\nerror,reference\r\nfailed to read bp-0001,897\r\n", "broke off"),
        (b",result,table,_time\r\n,_result,0,2026\r\n\r\nerror,reference\r\nx,1\r\n", "broke off"),
        (b"<html>Back soon</html>", "no InfluxDB 2"),
    ],
)
def test_an_answer_that_breaks_off_is_no_answer(
    answer: bytes, words: str, influx: StandIn, series: InfluxSeries
) -> None:
    """InfluxDB writes an error behind rows that it has already sent: they are not taken for all there is."""
    influx.query = answer
    with pytest.raises(SeriesUnavailable, match=words) as told:
        series.last([Span("bp-0001", 0, NOW)])
    assert "bp-0001" not in str(told.value)
