"""The one home of influxdb-client: requests to one InfluxDB 2, and what can go wrong with them in plain words.

Comes in: lines, Flux, the names of buckets and tasks. Goes out: rows, or SeriesUnavailable. Refuses to know: points.

Writes are the client's SYNCHRONOUS ones: its batching drops a batch after five retries or 180 s and its ``flush`` does
nothing. The client tries nothing again by itself here; whoever asked does. What InfluxDB answers beside the status is
never repeated: it quotes lines, and so devices and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from ingest.series.faults import SeriesUnavailable
from ingest.series.influx_answers import FULL, TOO_LARGE, words
from ingest.series.influx_tables import NoAnswer, Table, tables

_MS = 1000
_WRITTEN, _NOT_FOUND = 204, 404
EVER = ("1677-09-21T00:12:44Z", "2262-04-11T23:47:16Z")
_WEEK_S = 604_800
_SHARDS = ((2 * 86_400, 3_600), (180 * 86_400, 86_400), (float("inf"), _WEEK_S))
"""Seconds kept, seconds a shard: what InfluxDB itself chooses (docs.influxdata.com, InfluxDB shards)."""
_SPLIT = frozenset({400, 413, 422})
"""Answers that say something of single lines or of how many came: the batch is halved to find out."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is: ``token_file`` holds a token and nothing else; it is read again when InfluxDB refuses that."""

    url: str
    org: str
    bucket: str
    token_file: Path
    timeout_s: float = 10.0

    @property
    def hourly(self) -> str:
        """The bucket that the task fills."""
        return f"{self.bucket}_hourly"


class _Answered(Exception):  # noqa: N818 - an answer other than success
    def __init__(self, status: int, body: str) -> None:
        self.status = status
        self.body = body
        super().__init__(status)


class Server:
    """Requests to one InfluxDB; used by any number of threads."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._client: Any = None
        self._door = Lock()

    def write(self, lines: Sequence[str], positions: Sequence[int]) -> None:
        """Write lines; returns when InfluxDB has confirmed all of them, which is when they are on its disk.

        ``positions``: the journal row behind each line, by which one that is refused is named; 0 for none. Raises
        SeriesUnavailable; any of the lines may be written then.
        """
        try:
            with self._asked() as client:
                self._post(client, "\n".join(lines))
        except _Answered as answer:
            if answer.status not in _SPLIT or (len(lines) == 1 and answer.status == TOO_LARGE):
                raise self._fault(answer) from None
            if len(lines) == 1:
                raise self._fault(answer, positions[0] or None) from None
            half = len(lines) // 2
            self.write(lines[:half], positions[:half])
            self.write(lines[half:], positions[half:])
            # Refused together and taken apart: for their number, or because what was wrong has gone.

    def rows(self, flux: str) -> Iterator[dict[str, str]]:
        """The rows of a short answer, by column."""
        return (dict(zip(table.columns, row, strict=True)) for table in self.tables(flux) for row in table.rows)

    def tables(self, flux: str) -> Sequence[Table]:
        """The whole answer of a query."""
        with self._told(), self._asked() as client:
            dialect = _library().Dialect(header=True, annotations=[], delimiter=",")
            answer: Any = client.query_api().query_raw(flux, dialect=dialect)
            try:
                body = answer.data.decode()
            finally:
                answer.release_conn()
        try:
            return tables(body)
        except NoAnswer as fault:
            raise self._silent(fault.why) from None

    def delete(self, bucket: str, at: tuple[str, str] = EVER, predicate: str = "") -> None:
        """Delete what lies between two times, both included, and has these tags."""
        with self._told(), self._asked() as client:
            client.delete_api().delete(*at, predicate, bucket, self.place.org)

    def keep_bucket(self, name: str, keep_s: int) -> None:
        """Make a bucket that forgets after so many seconds (0: never), or make that so of the one there is."""
        # A retention may not be shorter than a shard, and a bucket keeps the length of those it was made with.
        shard_s = next(length for longest, length in _SHARDS if keep_s <= longest) if keep_s else _WEEK_S
        rule = _library().BucketRetentionRules(
            type="expire", every_seconds=keep_s, shard_group_duration_seconds=shard_s
        )
        with self._told(), self._asked() as client:
            found = self._bucket(name)
            if found is None:
                client.buckets_api().create_bucket(bucket_name=name, org=self.place.org, retention_rules=[rule])
            elif sum(each.every_seconds or 0 for each in found.retention_rules) != keep_s:
                found.retention_rules = [rule]
                client.buckets_api().update_bucket(found)

    def _bucket(self, name: str) -> Any | None:  # noqa: ANN401 - as below
        try:
            with self._asked() as client:
                found = client.buckets_api().find_buckets(name=name, org=self.place.org).buckets
        except _Answered as answer:
            if answer.status != _NOT_FOUND:  # that is how 2.7 says that none is called so
                raise
            return None
        return found[0] if found else None

    def keep_task(self, name: str, flux: str) -> str:
        """Make a task, or make the one there is run this script; returns its id."""
        library = _library()
        with self._told(), self._asked() as client:
            tasks = client.tasks_api()
            found = tasks.find_tasks(name=name, org=self.place.org)
            if not found:
                return str(
                    tasks.create_task(task_create_request=library.TaskCreateRequest(org=self.place.org, flux=flux)).id
                )
            if found[0].flux != flux or found[0].status != "active":
                tasks.update_task_request(found[0].id, library.TaskUpdateRequest(flux=flux, status="active"))
            for more in found[1:]:  # made by two that prepared at once
                tasks.delete_task(more.id)
            return str(found[0].id)

    def close(self) -> None:
        """Let go of its connections."""
        with self._door:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _post(self, client: Any, body: str) -> None:  # noqa: ANN401 - as below
        """What the client's SYNCHRONOUS writing does, and the status beside it: anything but 204 confirms nothing."""
        _, status, _ = (
            _library()
            .WriteService(client.api_client)
            .post_write_with_http_info(
                self.place.org,
                self.place.bucket,
                body.encode(),
                content_type="text/plain; charset=utf-8",
                _return_http_data_only=False,
            )
        )
        if status != _WRITTEN:
            raise _Answered(status, "")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except _Answered as answer:
            raise self._fault(answer) from None

    @contextmanager
    def _asked(self) -> Iterator[Any]:
        """The client; its errors become ``_Answered`` or SeriesUnavailable, without their texts."""
        from influxdb_client.client.exceptions import InfluxDBError
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError, NewConnectionError
        from urllib3.exceptions import TimeoutError as TookLong

        try:
            yield self._connected()
        except ApiException as error:
            if not error.status:
                raise self._silent("the secure line to it cannot be made") from None
            if error.status == 401:  # noqa: PLR2004 - RFC 9110: the token may have been replaced since
                self.close()
            raise _Answered(error.status, _text(error.body)) from None
        except InfluxDBError:  # the client's own: the token does not even show the organisation
            raise _Answered(_NOT_FOUND, "") from None
        except NewConnectionError:
            raise self._silent("nobody answers there") from None
        except TookLong:
            raise self._silent(f"it took longer than {self.place.timeout_s:g} s") from None
        except (HTTPError, OSError):
            raise self._silent("the line was cut") from None
        except (AttributeError, KeyError, TypeError, ValueError):  # what the client makes of another server's pages
            raise self._silent("what answers there is no InfluxDB 2") from None

    def _connected(self) -> Any:  # noqa: ANN401 - half of the library has no types
        with self._door:
            if self._client is None:
                place, timeout_ms = self.place, int(self.place.timeout_s * _MS)
                self._client = _library().InfluxDBClient(place.url, self._token(), org=place.org, timeout=timeout_ms)
            return self._client

    def _token(self) -> str:
        try:
            found = self.place.token_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            found = ""
        if not found.isascii() or not found.isprintable() or not found:
            raise SeriesUnavailable(
                "The file with InfluxDB's token is empty or cannot be read.",
                "Put the token into the file that CONSTANTES_SERIES__TOKEN_FILE names, readable by this user.",
            )
        return found

    def _fault(self, answer: _Answered, position: int | None = None) -> SeriesUnavailable:
        status = FULL if "no space left on device" in answer.body else answer.status
        happened, remedy = words(status, self.place.bucket, position)
        return SeriesUnavailable(f"InfluxDB at {self.place.url} {happened}", remedy, answer.status)

    def _silent(self, why: str) -> SeriesUnavailable:
        return SeriesUnavailable(
            f"InfluxDB at {self.place.url} did not answer: {why}.",
            "See that it runs and can be reached from here (CONSTANTES_SERIES__URL).",
        )


def _library() -> Any:  # noqa: ANN401 - half of it has no types
    return import_module("influxdb_client")  # half a second, the first time


def _text(body: bytes | str | None) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
