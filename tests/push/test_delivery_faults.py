"""Delivery to a record in another process, over lines that fail three times in ten, and through kills."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest

from fhir_export.push.content import same_content
from fhir_export.push.delivery import Delivery
from fhir_export.push.port import Answer, Capability, Ending, Outgoing
from fhir_export.push.server import FhirServer
from simulators.record.process import Running, running
from tests.push.shelf import HERE, Clock, Shelf
from tests.support.engines import Place, in_a_file

Settle = Callable[[Delivery], None]
BAD_LINE = [
    *("cut:0.04", "cut_before:0.04", "late:0.03:0.5", "truncated:0.04", "error500:0.04"),
    *("busy503:0.03:2", "wrong:0.04", "wrong_id:0.03", "throttle429:0.03:2"),
]
"""Together about three in ten requests."""


def arrived(one: Running, due: list[Outgoing]) -> dict[tuple[str, str], bytes]:
    """What the record holds of these types, by identity; each has one version."""
    found: dict[tuple[str, str], bytes] = {}
    for type_ in {resource.type for resource in due}:
        for line in httpx.get(f"{one.inspect}/resources", params={"type": type_}).content.splitlines():
            found[type_, json.loads(line)["id"]] = line
    totals = httpx.get(f"{one.inspect}/summary").json()
    assert (totals["conflicting"], totals["versions"]) == (0, len(found))
    return found


def whole(found: dict[tuple[str, str], bytes], due: list[Outgoing]) -> bool:
    """Whether exactly what was due is there, digit by digit."""
    return found.keys() == {one.identity for one in due} and all(
        same_content(one.body, found[one.identity]) for one in due
    )


class Watched(FhirServer):
    """Notes what is sent again after its success was read."""

    def __init__(self, base: str, *, batches: bool) -> None:
        super().__init__(base, silence_s=0.25)
        self._batches = batches
        self.successes: set[tuple[str, str]] = set()
        self.again: list[tuple[str, str]] = []

    def capability(self) -> Capability:
        """The server's own word, or that it takes no batches."""
        return super().capability() if self._batches else Capability(batch=False)

    def send(self, outgoing: Sequence[Outgoing]) -> Sequence[Answer]:
        """Send, and look at both sides."""
        self.again += [one.identity for one in outgoing if one.identity in self.successes]
        answers = list(super().send(outgoing))
        good = (Ending.ANSWERED, 200), (Ending.ANSWERED, 201)
        self.successes |= {
            one.identity
            for one, answer in zip(outgoing, answers, strict=True)
            if (answer.ending, answer.status) in good and answer.named == one.identity
        }
        return answers


def delivering(place: Place, base: str) -> subprocess.Popen[bytes]:
    """A process that delivers; it says one line when it begins."""
    command = [sys.executable, str(Path(__file__).with_name("deliver.py")), str(place.where), str(place.blobs), base]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PGPASSWORD": place.password or ""}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)


@in_a_file
@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("batches", [True, False], ids=["batches", "single"])
def test_a_bad_line_changes_nothing_of_what_arrives(
    shelf: Shelf, clock: Clock, settle: Settle, seed: int, *, batches: bool
) -> None:
    """Everything arrives once with its own content, and nothing is sent again after its success was read."""
    due = shelf.readings(400 if batches else 60)
    with running(faults=BAD_LINE, seed=seed) as one, Watched(one.base, batches=batches) as record:
        delivery = Delivery(shelf.file, HERE, record, clock, random.Random(seed).random)
        settle(delivery)
        assert whole(arrived(one, due), due)
        fired = httpx.get(f"{one.inspect}/faults").json()["fired"]
    assert len(fired) >= 5, "the line was not bad"
    assert record.again == []
    assert (shelf.waiting(), len(shelf.confirmed())) == ({}, 400 if batches else 60)


@in_a_file
@pytest.mark.faults
@pytest.mark.parametrize("fault", ["entry422", "entry409"])
def test_entries_that_fail_by_chance_do_not_take_others_with_them(
    shelf: Shelf, clock: Clock, settle: Settle, fault: str
) -> None:
    """Refused entries are parked, conflicts over nothing are sent again; the others of their batches arrive."""
    due = shelf.readings(100)
    with running(faults=[f"{fault}:0.1"], seed=5) as one, FhirServer(one.base) as record:
        delivery = Delivery(shelf.file, HERE, record, clock, random.Random(5).random)
        for _ in range(60):
            clock.pass_by(delivery.step().wait_s + 0.001)
        waiting = shelf.waiting()
        found = arrived(one, due)
    assert len(found) + len(waiting) == len(due)
    assert {answer for _, answer in waiting.values()} <= {"record.refused:invalid", "record.waits"}
    assert (fault == "entry409") == (not waiting)


@pytest.mark.faults
def test_kills_of_the_exporter_are_harmless(place: Place, shelf: Shelf, clock: Clock, settle: Settle) -> None:
    """A delivering process is killed again and again: in the end each resource is there once, with its content."""
    number, most = (1000, 12) if place.is_file else (400, 4)
    due = shelf.readings(number)
    chance, left, kills = random.Random(7), len(due), 0
    with running(faults=["late:0.3:0.03"]) as one:
        while kills < most and left > len(due) // 3:  # the next one shall not come too late
            with delivering(place, one.base) as process:
                assert process.stdout is not None
                process.stdout.readline()
                enough, until = len(shelf.delivered()) + chance.randrange(200), time.monotonic() + 10
                while len(shelf.delivered()) < enough and time.monotonic() < until:
                    time.sleep(chance.uniform(0.0, 0.01))
                process.send_signal(signal.SIGKILL)
            left, kills = len(shelf.waiting()), kills + 1
        with FhirServer(one.base) as record:
            settle(Delivery(shelf.file, HERE, record, clock, chance.random))
        assert whole(arrived(one, due), due)
    assert kills >= 3
    assert 0 < left < len(due), "the kills came too early or too late"
    assert len(shelf.confirmed()) == number


@pytest.mark.faults
def test_two_exporting_processes_do_no_harm(place: Place, shelf: Shelf, clock: Clock, settle: Settle) -> None:
    """Two processes on one ledger send some resources twice: the record holds each once, with one content."""
    due = shelf.readings(500)
    with running(faults=["late:0.3:0.02"]) as one:
        both = [delivering(place, one.base) for _ in range(2)]
        until = time.monotonic() + 60
        while shelf.waiting() and time.monotonic() < until:
            time.sleep(0.05)
        for process in both:
            with process:
                process.terminate()
        assert whole(arrived(one, due), due)
    assert (shelf.waiting(), len(shelf.confirmed())) == ({}, 500)
