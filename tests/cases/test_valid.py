"""Every resource of the case folders is held against the offline validator, profiles and all."""

from pathlib import Path

import pytest

from fhir_export.profiles import FR_PATIENT, PHD_DEVICE, VITAL_SIGNS
from scripts.validate import Validator, reason_of, reasons, resources

pytestmark = [pytest.mark.validator, pytest.mark.timeout(500)]

REASONS = reasons()
FOUND = dict(resources(Path(__file__).parent))


@pytest.mark.parametrize("name", FOUND, ids=lambda name: str(Path(name).relative_to(Path(__file__).parent)))
def test_a_resource_has_no_error(fhir_validator: Validator, name: str) -> None:
    """FHIR R4, Mesures de santé, FR Core and PHD find no error in it, and nothing to warn of that has no reason."""
    errors, warnings = fhir_validator.look(FOUND[name])
    assert errors == []
    assert [warning for warning in warnings if reason_of(warning, REASONS) is None] == []


def test_the_folders_hold_every_type_that_is_made() -> None:
    """Observation, Device and Patient are all there, under each profile that mapping can claim."""
    claimed = {claim for row in VITAL_SIGNS for claim in (row.mesures, row.plain) if claim}
    text = b"".join(FOUND.values())
    for claim in (*claimed, PHD_DEVICE, FR_PATIENT):
        assert f'"{claim}"'.encode() in text
