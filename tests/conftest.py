"""What every test run has: tiers, and a run in which no tier may be left out.

A tier is a marker (`services`, `faults`, `browser`, `validator`); a test without one is of the tier `unit`. A test
whose tier this machine cannot run skips with the reason. `--require-tiers`, or REQUIRE_TIERS=1, turns every skip into
a failure: for machines that have all it takes, such as CI. The closing words count each tier and give the reasons.
"""

import os
from collections import Counter
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from scripts.validate import Validator, missing_tools

pytest_plugins = ["tests.support.servers", "tests.support.balanced", "tests.support.canary_watch"]

# Examples count, not seconds: a machine that runs brokers and browsers beside a property is slow at times.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")

TIERS = ("services", "faults", "browser", "validator")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--require-tiers`."""
    parser.addoption(
        "--require-tiers",
        action="store_true",
        default=os.environ.get("REQUIRE_TIERS") == "1",
        help="a skipped test fails: this machine is meant to run every tier (also REQUIRE_TIERS=1)",
    )


@pytest.fixture(scope="session")
def fhir_validator() -> Iterator[Validator]:
    """Give one running FHIR validator for all tests that ask it: building and starting it costs seconds.

    `check(resource: bytes) -> list[str]` returns its errors.
    """
    if missing := missing_tools():
        pytest.skip(f"{' and '.join(missing)} not on this machine (Debian: scripts/apt-install)")
    with Validator() as validator:
        yield validator


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the tier of each test on its report, and fail a skip where none is allowed."""
    report = yield
    report.user_properties.append(("tier", next((t for t in TIERS if item.get_closest_marker(t)), "unit")))
    if item.config.getoption("--require-tiers") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped on a machine that must run every tier: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that skips itself whole, where no skip is allowed."""
    report = yield
    if collector.config.getoption("--require-tiers") and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped on a machine that must run every tier: {_reason(report)}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say for each tier what was run and what was not, and why."""
    counts: dict[str, Counter[str]] = {}
    reasons: dict[str, set[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped", "xfailed"):
        for report in terminalreporter.getreports(outcome):
            tier = dict(getattr(report, "user_properties", ())).get("tier", "unit")
            counts.setdefault(str(tier), Counter())[outcome] += 1
            if outcome == "skipped":
                reasons.setdefault(str(tier), set()).add(_reason(report))
    terminalreporter.section("tiers")
    for tier in ("unit", *TIERS):
        tally = ", ".join(f"{count} {outcome}" for outcome, count in counts.get(tier, {}).items())
        terminalreporter.line(f"{tier:<10} {tally or 'not run'}")
        for reason in sorted(reasons.get(tier, ())):
            terminalreporter.line(f"{'':<10} left out: {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the words of a skip: pytest keeps (file, line, words) of it."""
    words = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return words.removeprefix("Skipped: ")
