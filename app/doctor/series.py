"""The time series: whether its InfluxDB answers, has the bucket with its retention, lets the token do what it must.

Comes in: settings. Goes out: findings. Refuses to know: points; none is written and none is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlencode

from app.doctor import peers
from app.doctor.clock import by_distance
from app.doctor.finding import Finding, found
from app.setting_parts import SeriesSettings
from app.settings import Settings

_DAY_S = 86_400
_OK, _UNAUTHORIZED, _NOT_THERE = 200, 401, 404
_MAY_NOT = frozenset({401, 403, 404})
"""What InfluxDB 2 answers to a token with fewer rights, depending on which are missing."""
_NO_LINE = b"="
"""Refused as no line (400) to a token that may write, and before that as forbidden to one that may not."""


def look(settings: Settings) -> Iterator[Finding]:
    """See the module."""
    series = settings.series
    if series.is_embedded:
        return
    health = peers.ask(f"{series.url}/health", {})
    if health is None or health.status != _OK:
        yield found("series.unreachable", url=series.url)
        return
    yield from by_distance("InfluxDB", health.ahead_s)
    token = peers.token_of(series.token_file)
    if token is None:
        yield found("series.no_token")
        return
    yield from _rights(series, {"Authorization": f"Token {token}"})


def _rights(series: SeriesSettings, headers: dict[str, str]) -> Iterator[Finding]:
    listed = peers.ask(f"{series.url}/api/v2/buckets?{urlencode({'name': series.bucket, 'org': series.org})}", headers)
    if listed is None:
        yield found("series.unreachable", url=series.url)
    elif listed.status == _UNAUTHORIZED:
        yield found("series.token_refused")
    elif listed.status not in (_OK, _NOT_THERE):
        yield found("series.answered", status=listed.status)
    elif not (buckets := _buckets(listed.body)):
        yield found("series.no_bucket", bucket=series.bucket)
    else:
        yield from _retention(series, buckets[0])
        yield from _writing(series, headers)


def _buckets(body: bytes) -> list[dict[str, object]]:
    try:
        listed = json.loads(body).get("buckets", [])
    except (ValueError, AttributeError):
        return []
    return [each for each in listed if isinstance(each, dict)]


def _retention(series: SeriesSettings, bucket: dict[str, object]) -> Iterator[Finding]:
    rules = bucket.get("retentionRules")
    kept_s = sum(int(each.get("everySeconds", 0)) for each in rules) if isinstance(rules, list) else 0
    wanted_s = (series.keep_days or 0) * _DAY_S
    if kept_s != wanted_s:
        facts = {"bucket": series.bucket, "kept": _days(kept_s), "wanted": _days(wanted_s)}
        yield found("series.retention", **facts)


def _days(seconds: int) -> str:
    return f"{seconds / _DAY_S:g} d" if seconds else "∞"


def _writing(series: SeriesSettings, headers: dict[str, str]) -> Iterator[Finding]:
    url = f"{series.url}/api/v2/write?{urlencode({'bucket': series.bucket, 'org': series.org})}"
    answer = peers.ask(url, headers, method="POST", content=_NO_LINE)
    if answer is not None and answer.status in _MAY_NOT:
        yield found("series.may_not_write", bucket=series.bucket)
