"""Why the registry refuses a request, by what the caller should answer with.

Refused
 ├── Unknown    what was named is not there
 ├── Conflict   it is at odds with something that is there
 └── Unfit      a field of the request has a form that cannot be taken

``code`` is stable and for software (``device.exists``); the sentences are for a person. Device, patient and
assignment ids may stand in them, names and numbers of persons never.
"""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - it names what was found, and is caught by that name
    """A request was refused and nothing was changed: what happened, what to do."""

    def __init__(self, code: str, happened: str, remedy: str) -> None:
        super().__init__(f"{happened} Nothing was changed. {remedy}")
        self.code = code
        self.happened = happened
        self.remedy = remedy


class Unknown(Refused):
    """What was named is not registered."""


class Conflict(Refused):
    """The request is at odds with what is registered."""


class Unfit(Refused):
    """A field has a form that cannot be taken; ``code`` names the field."""
