"""The configuration of a Mosquitto of ours, where it can be seen: whether what waits for the gateway is kept on disk.

Comes in: settings, the machine's processes. Goes out: findings. Refuses to know: what only trying tells
(``app.doctor.probes``). A file is ours when it reads the accounts of this installation's data folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.doctor.finding import Finding, found
from app.settings import Settings
from gateway.broker.mosquitto import PASSWORDS

_INSTALLED = Path("/etc/mosquitto")
_PROC = Path("/proc")
SELDOM_S = 60
"""What came in since the last saving is lost with the process; the shipped configuration saves every 5 s."""
_DEFAULT_S = 1800  # mosquitto.conf(5), autosave_interval


def look(settings: Settings) -> Iterator[Finding]:
    """See the module."""
    if settings.has_embedded_broker:
        return  # its configuration is made at each start, and always keeps what it acknowledges on disk
    path = next(filter(lambda each: _is_ours(each, settings.broker_folder.resolve()), _candidates()), None)
    if path is None:
        yield found("broker.persistence_unseen")
    else:
        yield from by_text(path.read_text("utf-8", errors="replace"), path)


def by_text(text: str, path: Path) -> Iterator[Finding]:
    """What a configuration says of keeping; of two lines with one name the later holds."""
    words = dict(line.split(maxsplit=1) for line in text.splitlines() if len(line.split(maxsplit=1)) == 2)  # noqa: PLR2004
    if words.get("persistence", "false").strip() != "true":
        yield found("broker.not_persistent", file=path)
        return
    seconds = int(words.get("autosave_interval", _DEFAULT_S))
    if seconds > SELDOM_S or seconds == 0:
        yield found("broker.saves_seldom", file=path, seconds=seconds or "∞")


def _candidates() -> Iterator[Path]:
    """Files that running brokers were started with, and those where packages put them."""
    for process in _PROC.glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if Path(words[0]).name == "mosquitto" and "-c" in words[:-1]:
            yield Path(words[words.index("-c") + 1])
    yield from sorted(_INSTALLED.glob("**/*.conf"))


def _is_ours(path: Path, accounts: Path) -> bool:
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:
        return False
    return any(line.split() == ["password_file", str(accounts / PASSWORDS)] for line in text.splitlines())
