"""The validator is worth its word: good resources pass, bad ones fail for the reason that is wrong with them."""

from pathlib import Path

import pytest

from scripts.validate import HOME, Validator

pytestmark = [pytest.mark.validator, pytest.mark.timeout(500)]

EXAMPLES = sorted(
    path
    for folder in ("mesures-3.2.0", "phd-1.0.0")
    for path in (HOME / "packages" / folder).glob("*.json")
    if not path.name.startswith(("StructureDefinition-", "ValueSet-"))
)
GOOD = sorted((HOME / "canaries" / "pass").glob("*.json")) + EXAMPLES
BAD = dict(line.split("\t") for line in (HOME / "canaries" / "expected.tsv").read_text("utf-8").splitlines())
BP_PROFILE = "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/mesures-fr-observation-bp"


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_resource_passes(fhir_validator: Validator, path: Path) -> None:
    """A published example and a hand-made good resource have no error."""
    assert fhir_validator.check(path.read_bytes()) == []


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_resource_fails_for_its_own_reason(fhir_validator: Validator, name: str) -> None:
    """A resource with one thing wrong has an error that names this thing."""
    errors = fhir_validator.check((HOME / "canaries" / "fail" / f"{name}.json").read_bytes())
    assert any(BAD[name] in error for error in errors), errors


def test_every_canary_has_its_reason() -> None:
    """The table of reasons names every bad resource and nothing else."""
    assert {path.stem for path in (HOME / "canaries" / "fail").glob("*.json")} == set(BAD)


def test_a_profile_asked_for_is_applied(fhir_validator: Validator) -> None:
    """A resource that claims no profile is held against the one that the caller names."""
    weight = (HOME / "canaries" / "pass" / "base-no-profile.json").read_bytes()
    assert any("BPCode" in error for error in fhir_validator.check(weight, BP_PROFILE))
