"""Hold FHIR resources against the offline validator of tools/fhir-validator.

In: files and folders; in a folder every `.json` and `.ndjson` file that holds FHIR resources counts (one, a list, or
one a line), and the rest (device messages, measurements, rejections) is passed over. Out: one line an error, a
line for each reason a warning has, a closing line; exit 0 when every resource passed, there was at least one, and every
warning has a reason in tools/fhir-validator/warnings.tsv; else 1.
Refuses to know what the resources mean, and to rewrite them: the validator gets the very characters of the file.
Needs Java 17 and Maven; the first run builds the validator, later runs take seconds to start.
"""

import argparse
import json
import re
import select
import shutil
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HOME = Path(__file__).resolve().parent.parent / "tools" / "fhir-validator"
LOOPBACK = "127.0.0.1"


class ValidatorUnavailable(Exception):  # noqa: N818 - it names what was found, and is caught by that name
    """The validator could not be built or started; the text says why and what to do."""


def missing_tools() -> list[str]:
    """Name the programs that the validator needs and this machine lacks."""
    return [tool for tool in ("java", "mvn") if shutil.which(tool) is None]


class Validator:
    """A running validator, asked over loopback; a context manager that ends its process.

    Raises ValidatorUnavailable on entry when a tool is missing, the build fails or it does not start in time.
    """

    def __init__(self, *options: str, start_seconds: float = 420.0) -> None:
        self._command = [str(HOME / "validate"), "--serve", "0", *options]
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[str] | None = None
        self._address = ""

    def __enter__(self) -> Self:
        """Build when needed, start, and wait for the line that names the port."""
        if missing := missing_tools():
            raise ValidatorUnavailable(
                f"{' and '.join(missing)} not found: install Java 17 and Maven (Debian: scripts/apt-install)"
            )
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            self._address = self._ready_address(self._process)
        except ValidatorUnavailable:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process that this object started."""
        self._end()

    def check(self, resource: bytes, profile: str | None = None) -> list[str]:
        """Return the errors of one resource or Bundle (warnings left out), each as `place: message`.

        `profile` is a canonical URL to hold it against besides those of its meta.profile.
        """
        return self.look(resource, profile)[0]

    def look(self, resource: bytes, profile: str | None = None) -> tuple[list[str], list[str]]:
        """Return the errors and the warnings of one resource or Bundle, each as `place: message`."""
        query = f"?profile={profile}" if profile else ""
        request = urllib.request.Request(f"http://{self._address}/{query}", resource, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            issues = json.load(answer)["issue"]
        found = [
            (issue["severity"], f"{', '.join(issue.get('expression', ['-']))}: {issue['diagnostics']}")
            for issue in issues
        ]
        errors = [text for severity, text in found if severity in {"error", "fatal"}]
        return errors, [text for severity, text in found if severity == "warning"]

    def _ready_address(self, process: subprocess.Popen[str]) -> str:
        stdout = process.stdout
        if stdout is None:  # cannot be: it was asked for as a pipe
            raise ValidatorUnavailable("the validator has no output")
        deadline = time.monotonic() + self._start_seconds
        while time.monotonic() < deadline:
            readable, _, _ = select.select([stdout], [], [], 1.0)
            if not readable:
                continue
            ready = re.match(rf"ready on ({re.escape(LOOPBACK)}:\d+)", stdout.readline())
            if ready is None:
                raise ValidatorUnavailable(f"it did not start; {HOME.name}/validate --list says why")
            return ready.group(1)
        raise ValidatorUnavailable(f"it was not ready within {self._start_seconds:.0f} s")

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait(timeout=30)
        if self._process.stdout is not None:
            self._process.stdout.close()


def resources(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of each FHIR resource in a file or below a folder, in a stable order.

    A file that was named must be readable JSON; ValueError says which one is not.
    """
    files = sorted(f for f in path.rglob("*") if f.suffix in {".json", ".ndjson"}) if path.is_dir() else [path]
    for file in files:
        text = file.read_text(encoding="utf-8")
        chunks = text.splitlines() if file.suffix == ".ndjson" else [text]
        found = [part for chunk in chunks if chunk.strip() for part in _members(chunk, file)]
        for number, part in enumerate(found, start=1):
            yield (f"{file}" if len(found) == 1 else f"{file}#{number}"), part.encode()


def _members(text: str, file: Path) -> Iterator[str]:
    """Yield the resources of one JSON document as they are written: digits such as 36.60 must survive."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{file} is not JSON: line {error.lineno}, column {error.colno}") from error
    if _is_resource(document):
        yield text
    elif isinstance(document, list):
        yield from (part for part, value in _elements(text) if _is_resource(value))


def _elements(text: str) -> Iterator[tuple[str, object]]:
    decoder = json.JSONDecoder()
    place = text.index("[") + 1
    while (start := _next_value(text, place)) is not None:
        value, place = decoder.raw_decode(text, start)
        yield text[start:place], value


def _next_value(text: str, place: int) -> int | None:
    found = re.compile(r"[\s,]*").match(text, place)
    start = found.end() if found else place
    return None if text[start] == "]" else start


def _is_resource(value: object) -> bool:
    return isinstance(value, dict) and "resourceType" in value


def reasons() -> list[tuple[re.Pattern[str], str]]:
    """The warnings that are expected: a pattern of the message, and why it says nothing against a resource."""
    rows = (HOME / "warnings.tsv").read_text("utf-8").splitlines()
    return [(re.compile(pattern), reason) for pattern, _, reason in (row.partition("\t") for row in rows)]


def reason_of(warning: str, listed: Sequence[tuple[re.Pattern[str], str]]) -> str | None:
    """Why a warning is expected; None for one that nobody has looked at."""
    return next((reason for pattern, reason in listed if pattern.search(warning)), None)


def main(arguments: list[str] | None = None) -> int:
    """Validate what the command line names; see the module's own words."""
    parser = argparse.ArgumentParser(description="Hold FHIR resources against the offline validator.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE-or-FOLDER")
    options = parser.parse_args(arguments)
    passed = failed = 0
    listed, told, unlisted = reasons(), Counter[str](), list[str]()
    try:
        with Validator() as validator:
            for name, resource in (pair for path in options.paths for pair in resources(path)):
                errors, warnings = validator.look(resource)
                for warning in warnings:
                    reason = reason_of(warning, listed)
                    told.update([reason] if reason else [])
                    unlisted += [] if reason else [f"warning {name} {warning}\n"]
                failed, passed = failed + bool(errors), passed + (not errors)
                sys.stdout.writelines(f"error {name} {error}\n" for error in errors)
    except (ValidatorUnavailable, OSError, ValueError) as error:
        sys.stderr.write(f"Nothing more was validated: {error}\n")
        return 1
    sys.stdout.writelines(unlisted)
    sys.stdout.writelines(f"warning {count:5} x  {reason}\n" for reason, count in told.most_common())
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 0 if passed and not failed and not unlisted else 1


if __name__ == "__main__":
    sys.exit(main())
