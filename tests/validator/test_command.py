"""`python -m scripts.validate`: which files count, what it prints, how it ends."""

import json
import shutil
from pathlib import Path

import pytest

from scripts.validate import HOME, main, missing_tools, resources

needs_validator = pytest.mark.skipif(bool(missing_tools()), reason=f"{missing_tools()} not on this machine")


def test_a_list_of_resources_keeps_its_digits(tmp_path: Path) -> None:
    """Resources of a list are taken out as written, 36.60 with both its decimals."""
    file = tmp_path / "observations.json"
    file.write_text('[ {"resourceType": "A", "v": 36.60},\n  {"resourceType": "B", "v": "],["} ]')
    assert [part for _, part in resources(file)] == [
        b'{"resourceType": "A", "v": 36.60}',
        b'{"resourceType": "B", "v": "],["}',
    ]


def test_what_is_not_fhir_is_passed_over(tmp_path: Path) -> None:
    """In a folder, device messages and other documents are left out."""
    (tmp_path / "message.json").write_text('{"v": 1, "kind": "blood_pressure"}')
    (tmp_path / "rejection.json").write_text("[]")
    (tmp_path / "observations.json").write_text('{"resourceType": "Observation"}')
    assert [Path(name).name for name, _ in resources(tmp_path)] == ["observations.json"]


def test_each_line_of_ndjson_is_a_resource(tmp_path: Path) -> None:
    """A file with one resource a line yields each of them and skips empty lines."""
    file = tmp_path / "export.ndjson"
    file.write_text('{"resourceType": "A"}\n\n{"resourceType": "B"}\n')
    assert len(list(resources(file))) == 2


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """A file that is not JSON stops the run with its name and place."""
    (tmp_path / "observations.json").write_text('{"resourceType": ')
    with pytest.raises(ValueError, match=r"observations\.json is not JSON: line 1"):
        list(resources(tmp_path))


@needs_validator
@pytest.mark.validator
@pytest.mark.timeout(500)
def test_the_exit_code_is_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One bad resource among good ones ends in 1 with a line that names it; good ones alone end in 0."""
    good = json.loads((HOME / "canaries/pass/base-no-profile.json").read_text("utf-8"))
    (tmp_path / "observations.json").write_text(json.dumps([good, {**good, "id": "second"}]))
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith("2 passed, 0 failed\n")
    shutil.copy(HOME / "canaries/fail/bp-no-subject.json", tmp_path)
    assert main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "bp-no-subject.json" in out
    assert out.endswith("2 passed, 1 failed\n")


@needs_validator
@pytest.mark.validator
@pytest.mark.timeout(500)
def test_nothing_to_validate_is_no_success(tmp_path: Path) -> None:
    """A folder without any resource ends in 1."""
    assert main([str(tmp_path)]) == 1
