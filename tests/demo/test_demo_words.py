"""What a nurse reads of a reading, and who is in the morning."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from app.demo.evidence import Made
from app.demo.scenario import INS_DEMO, INS_TEST, LOCAL, MORNING, Act, Player
from app.demo.typed import recording
from app.demo.words import said
from simulators.devices.ecg_cart import RECORDING
from simulators.person import Person

AT = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)


def made(kind: str, eye: str | None = None, **values: tuple[str, str]) -> Made:
    """A reading with these values and units."""
    numbers = {name: Decimal(value) for name, (value, _) in values.items()}
    units = {name: unit for name, (_, unit) in values.items()}
    return Made(0, kind, AT, numbers, units, None, eye, eye and "macula")


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (made("blood_pressure", systolic=("128", "mm[Hg]"), diastolic=("79", "mm[Hg]"), pulse=("66", "/min")),
         "128/79 mmHg, pulse 66"),
        (made("pulse_oximetry", saturation=("94", "%"), pulse=("66", "/min")), "94 %, pulse 66"),
        (made("body_temperature", temperature=("36.60", "Cel")), "36.60 °C"),
        (made("body_weight", weight=("73.5", "furlong")), "73.5 furlong"),
        (made("retinography", "left"), "left eye, macula"),
        (made("ecg", heart_rate=("61", "/min"), pr=("161", "ms")), "12 leads, rate 61"),
        (None, "-"),
    ],
)  # fmt: skip
def test_a_reading_is_said_as_a_display_shows_it(reading: Made | None, words: str) -> None:
    """Numbers keep their digits and their unit, a wrong one too."""
    assert said(reading) == words


def test_there_are_three_rooms_eight_devices_and_four_test_patients() -> None:
    """Every identity has an INS of the test systems or none, and no other national number."""
    assert (len(MORNING.rooms), len(MORNING.players), len(MORNING.people)) == (3, 8, 4)
    assert len({player.device for player in MORNING.players}) == 8
    systems = {number.partition("|")[0] for person in MORNING.people for number in person.identifiers}
    assert systems == {LOCAL, INS_TEST, INS_DEMO}
    measured = {act.person for player in MORNING.players for act in player.acts}
    assert measured == set(range(4))


def test_bodies_are_those_of_their_persons_and_places() -> None:
    """Age, sex, altitude and illness of the bodies that instruments measure are those that the scenario tells."""
    told = {act.person: player.room for player in MORNING.players for act in player.acts}
    for place, person in enumerate(MORNING.people):
        if person.body:
            body = Person.drawn(person.body)
            assert (body.sex, body.altitude_m) == (person.gender, MORNING.rooms[told[place]].altitude_m)
            assert body.age == 2026 - int(person.birth_date[:4])
    assert Person.drawn(MORNING.people[2].body).diabetes
    assert MORNING.rooms[0].title == "Assisted teleconsultation, Cilaos, 1200 m"


def test_acts_follow_each_other() -> None:
    """Readings are of the person whose act they belong to; a device rests when an act is answered, and only then."""
    cart = Player("cart", "ecg", 0, (Act(1, 1), Act(3, 2)))
    assert [cart.person(seq) for seq in range(4)] == [1, 3, 3, 3]
    assert [cart.rests(done) for done in range(4)] == [False, True, False, True]
    assert cart.count == 3


def test_a_recording_names_the_patient_and_keeps_its_samples(tmp_path: Path) -> None:
    """The file that the cart sends is the recording but for who is named in it."""
    from pydicom import dcmread

    named, origin = dcmread(recording(MORNING.people[3], tmp_path)), dcmread(RECORDING)
    others = {one.keyword for one in named if one.tag not in origin or origin[one.tag] != one}
    assert (str(named.PatientName), named.PatientBirthDate) == ("EXEMPLE-FICTIF^DELTA", "19620314")
    assert named.WaveformSequence[0].WaveformData == origin.WaveformSequence[0].WaveformData
    assert others == {"PatientName", "PatientID", "PatientBirthDate", "PatientSex"}
