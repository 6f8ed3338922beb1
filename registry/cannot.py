"""Why a message cannot be judged again: what happened, what is safe, what to do.

Comes in: nothing. Goes out: ``Conflict`` for each case. Refuses to know: messages.
"""

from __future__ import annotations

from ingest.model import Channel
from registry.faults import Conflict

_DISMISS = "If nothing is to be done about it, `quarantine dismiss` it."


def settled() -> Conflict:
    """It does not wait."""
    return Conflict(
        "quarantine.settled",
        "This message does not wait in the quarantine any more: it was decided already.",
        "See `quarantine show`, which tells each decision.",
    )


def cut() -> Conflict:
    """It was longer than the contract allows."""
    return Conflict(
        "quarantine.cut",
        "This message was longer than 1,000,000 bytes. Its hash, its length and its first 64 KiB are kept, the rest is"
        " not, so it cannot be judged again.",
        f"Have its sender send the content as a blob, under a new seq. {_DISMISS}",
    )


def pruned() -> Conflict:
    """Its bytes were taken out of the ledger on purpose."""
    return Conflict(
        "quarantine.pruned",
        "The bytes of this message were taken out of the ledger when their time was over: it cannot be judged again.",
        _DISMISS,
    )


def no_reading(channel: Channel) -> Conflict:
    """A hello, a state, a part of a blob, or something on no topic of the contract."""
    return Conflict("quarantine.no_reading", f"This message is {_WHAT[channel]}", _DISMISS)


_WHAT = {
    Channel.HELLO: "a hello. It tells how things stood when the device connected; at its next connect it says it anew.",
    Channel.STATE: "a state message. It tells how things stood when it was sent, and means nothing now.",
    Channel.BLOB: "a part of a blob. A device sends parts again for as long as a reading of it lacks them.",
    Channel.UNKNOWN: "on a topic that is none of the contract's, so nothing says what it is.",
}


def bytes_gone() -> Conflict:
    """The blob's bytes are not there."""
    return Conflict(
        "quarantine.bytes_gone",
        "The bytes that came for this reading's content were not those that it names, or are gone. There is nothing to"
        " look at again.",
        f"Have the device send it again, as a reading with a new seq. {_DISMISS}",
    )


def live() -> Conflict:
    """A live recording that came to nothing."""
    return Conflict(
        "quarantine.live",
        "The parts of this live recording do not make one: too short, of several samplings, or sent after its end. The"
        " messages are stored as they came, and nothing can be put together from them.",
        _DISMISS,
    )


def not_kept() -> Conflict:
    """A defect of ours."""
    return Conflict(
        "quarantine.not_kept",
        "The ledger did not take the rows of this message, which is a defect of the program. It waits as before.",
        "Run `ledger verify`, and report what it says.",
    )
