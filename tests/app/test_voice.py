"""What a part says of itself: always to the others, to the log once a trouble has lasted and once it is over."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from app import status
from app.voice import LASTED_S, Voice


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def test_a_trouble_that_lasts_is_told_once_and_its_end_too(tmp_path: Path) -> None:
    """With what is safe and what to do, though the text of the trouble changes with each second."""
    clock = Clock()
    voice = Voice(tmp_path, "gateway", clock)
    with capture_logs() as lines:
        for second in range(10):
            clock.now = 100.0 + second
            voice.tell(ready=False, problem=f"the ledger has not answered for {second} s")
        voice.tell(ready=True)
        voice.tell(ready=True)
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("does not work", "warning"),
        ("works again", "info"),
    ]
    assert lines[0]["problem"] == f"the ledger has not answered for {LASTED_S:.0f} s"
    assert {"safe", "remedy"} <= set(lines[0])


def test_the_first_moments_of_a_start_are_no_line(tmp_path: Path) -> None:
    """Nothing is connected yet; the others hear of it all the same."""
    clock = Clock()
    voice = Voice(tmp_path, "gateway", clock)
    with capture_logs() as lines:
        voice.tell(ready=False, problem="the broker does not answer")
        said = status.read(tmp_path, "gateway")
        assert said is not None
        assert said.problem == "the broker does not answer"
        clock.now += LASTED_S - 0.1
        voice.tell(ready=True)
    assert lines == []
