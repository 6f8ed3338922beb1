"""Everything that leaves a process during the tests is searched for the health data of the tests.

A pytest plugin. Comes in: log records, standard error of the processes that tests start, metrics, error bodies,
addresses, MQTT topics, names of files. Goes out: a failed run that names the test, the channel and the canary; a failed
run when a whole one has seen nothing on a channel. Refuses to know: which module leaked.

A part of the suite says which channels it saw nothing on, and does not fail for it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import paho.mqtt.client as mqtt
import pytest
import structlog
from starlette.applications import Starlette

from tests.support.canary import found

CHANNELS = ("log", "stderr", "metrics", "error body", "address", "topic", "file name")
CARRIED = "canaries sent in"
_MOST = 1 << 20  # bytes of one record that are searched
_FAILED = 400
_AROUND = 40
_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]


class Watch:
    """What was seen, by channel, and the canaries among it."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.found: dict[str, None] = {}
        self.skipped = False

    def see(self, channel: str, words: str | bytes, whose: str | None = None) -> None:
        """Look at something that leaves."""
        data = words[:_MOST] if isinstance(words, bytes) else words[:_MOST].encode("utf-8", "replace")
        if not data:
            return
        self.seen[channel] += 1
        if (canary := found(data)) is not None:
            at = data.index(canary.encode())
            around = data[max(0, at - _AROUND) : at + _AROUND].decode("utf-8", "replace")
            test = whose or os.environ.get("PYTEST_CURRENT_TEST", "after the tests")
            self.found[f"{channel}: {canary} in {around!r} ({test.removesuffix(' (call)')})"] = None

    def carry(self, data: bytes) -> None:
        """Count what goes in with a canary in it: without any, nothing that leaves proves anything."""
        self.seen[CARRIED] += found(data[:_MOST]) is not None


WATCH = Watch()
_files: dict[str, int] = {}
"""Files that processes write their standard error to, and how much of each was searched."""


def pytest_configure() -> None:
    """Stand at every door of this process, for as long as it lives."""
    _watch_logs()
    _watch_web()
    _watch_clients()
    _watch_topics()
    _watch_processes()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """After each test, read on in the files that processes write to."""
    yield
    _read_files(item.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Look at what a test's own process wrote on standard error."""
    WATCH.skipped |= report.skipped and not hasattr(report, "wasxfail")
    if report.when == "teardown":
        WATCH.see("stderr", report.capstderr, report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which something leaked, and a whole one that saw nothing somewhere."""
    _read_files("after the tests")
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is not None:
        with suppress(OSError):
            _names(factory.getbasetemp())
    if WATCH.found or (_is_whole(session.config) and _unseen()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was seen and what was found."""
    terminalreporter.section("health data in what leaves")
    terminalreporter.line(", ".join(f"{channel} {WATCH.seen[channel]}" for channel in (*CHANNELS, CARRIED)))
    if unseen := _unseen():
        words = "FAILED, a whole run saw nothing" if _is_whole(config) else "not shown by this part of the suite"
        terminalreporter.line(f"{words}: {', '.join(unseen)}")
    for each in WATCH.found:
        terminalreporter.line(f"FAILED {each}")


def _unseen() -> list[str]:
    return [channel for channel in (*CHANNELS, CARRIED) if not WATCH.seen[channel]]


def _is_whole(config: pytest.Config) -> bool:
    """Whether every test was asked for, and none was left out by a machine that cannot run it."""
    option = config.option
    partial = (option.keyword, option.markexpr, option.collectonly, option.deselect, option.maxfail, WATCH.skipped)
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not any(partial)


# ---------------------------------------------------------------- doors


def _watch_logs() -> None:
    handle, process = logging.Logger.handle, structlog.BoundLoggerBase._process_event  # noqa: SLF001 - all come by here

    def seen(self: logging.Logger, record: logging.LogRecord) -> None:
        with suppress(Exception):  # what cannot be formatted is not written either
            WATCH.see("log", record.getMessage() + "".join(traceback.format_exception(*(record.exc_info or ()))))
        handle(self, record)

    def processed(self: Any, name: str, event: str | None, words: dict[str, Any]) -> Any:  # noqa: ANN401 - structlog's
        WATCH.see("log", f"{name} {event} {words!r}")
        return process(self, name, event, words)

    logging.Logger.handle = seen  # type: ignore[method-assign]
    structlog.BoundLoggerBase._process_event = processed  # type: ignore[assignment]  # noqa: SLF001


def _watch_web() -> None:
    """Requests that our own application gets in this process, and its answers."""
    call = Starlette.__call__

    async def watched(self: Starlette, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await call(self, scope, receive, send)
            return
        path, status = scope["path"], [0]
        WATCH.carry(f"{path}?{scope['query_string']!r}".encode())

        async def taken() -> _Message:
            message = await receive()
            WATCH.carry(message.get("body") or b"")
            return message

        async def given(message: _Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                for name, value in message["headers"]:
                    if name.lower() in (b"location", b"content-location"):
                        WATCH.see("address", value)
            else:
                _answered(path, status[0], message.get("body") or b"")
            await send(message)

        await call(self, scope, taken, given)

    Starlette.__call__ = watched  # type: ignore[method-assign]


def _watch_clients() -> None:
    """Requests that this process makes over the network, and what it gets for them."""
    once, later = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request

    def handled(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        WATCH.see("address", str(request.url))
        with suppress(httpx.RequestNotRead):  # what is streamed is not looked at
            WATCH.carry(request.content)
        answer = once(self, request)
        if isinstance(answer.stream, httpx.SyncByteStream):
            answer.stream = _Overheard(answer.stream, request.url.path, answer.status_code)
        return answer

    async def handled_later(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        WATCH.see("address", str(request.url))
        return await later(self, request)

    httpx.HTTPTransport.handle_request = handled  # type: ignore[method-assign]
    httpx.AsyncHTTPTransport.handle_async_request = handled_later  # type: ignore[method-assign]


class _Overheard(httpx.SyncByteStream):
    """The body of an answer, as whoever asked reads it."""

    def __init__(self, stream: httpx.SyncByteStream, path: str, status: int) -> None:
        self._stream, self._path, self._status = stream, path, status

    def __iter__(self) -> Iterator[bytes]:
        for data in self._stream:
            _answered(self._path, self._status, data)
            yield data

    def close(self) -> None:
        self._stream.close()


def _answered(path: str, status: int, body: bytes) -> None:
    if status >= _FAILED:
        WATCH.see("error body", body)
    elif path.endswith("/metrics"):
        WATCH.see("metrics", body)


def _watch_topics() -> None:
    publish, subscribe = mqtt.Client.publish, mqtt.Client.subscribe

    def published(self: mqtt.Client, topic: str, payload: Any = None, *more: Any, **named: Any) -> Any:  # noqa: ANN401 - paho's
        WATCH.see("topic", topic)
        WATCH.carry(payload if isinstance(payload, bytes) else str(payload).encode())
        return publish(self, topic, payload, *more, **named)

    def subscribed(self: mqtt.Client, topic: Any, *more: Any, **named: Any) -> Any:  # noqa: ANN401 - paho's
        WATCH.see("topic", str(topic))
        return subscribe(self, topic, *more, **named)

    mqtt.Client.publish = published  # type: ignore[method-assign]
    mqtt.Client.subscribe = subscribed  # type: ignore[method-assign]


def _watch_processes() -> None:
    """Standard error of every process that is started: a file is read after each test, a pipe when it is closed."""
    begin, run = subprocess.Popen.__init__, subprocess.Popen.communicate

    def begun(self: subprocess.Popen[Any], *words: Any, **named: Any) -> None:  # noqa: ANN401 - subprocess's
        name = getattr(named.get("stderr"), "name", None)
        if isinstance(name, str | os.PathLike):
            _files.setdefault(str(name), 0)
        begin(self, *words, **named)

    def talked(self: subprocess.Popen[Any], *words: Any, **named: Any) -> tuple[Any, Any]:  # noqa: ANN401 - as above
        out, error = run(self, *words, **named)
        WATCH.see("stderr", error or b"")
        return out, error

    subprocess.Popen.__init__ = begun  # type: ignore[method-assign]
    subprocess.Popen.communicate = talked  # type: ignore[method-assign]


def _read_files(whose: str) -> None:
    for name, at in _files.items():
        with suppress(OSError), Path(name).open("rb") as log:
            log.seek(at)
            while lines := log.readlines(_MOST):
                _files[name] += sum(map(len, lines))
                WATCH.see("stderr", b"".join(lines), whose)


def _names(folder: Path) -> None:
    """Names of files in the folders that tests were given, whose own names are the tests' words."""
    for given in folder.iterdir():
        for _, folders, files in os.walk(given):
            for name in (*folders, *files):
                WATCH.see("file name", name)
