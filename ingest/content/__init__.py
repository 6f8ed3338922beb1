"""Looking into a content: what a blob of a reading is, and what it holds.

Comes in: a file, the MIME type and the kind its reading named. Goes out: ``Found``, and files in a folder given, or
one ``Rejected``. Refuses to know: who sent it, what follows from it. Runs in the limited child only: a file may be
anything.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from ingest.content.found import Found
from ingest.reasons import Reason, Rejected

Look: TypeAlias = Callable[[Path, Path], Found]
"""From a file, and a folder that may be written into, to what was found; raises Rejected."""


def _ecg_dicom(path: Path, out: Path) -> Found:
    from ingest.content import ecg_dicom

    return ecg_dicom.look(path, out)


def _ecg_edf(path: Path, out: Path) -> Found:
    from ingest.content import ecg_edf

    return ecg_edf.look(path, out)


def _jpeg(path: Path, out: Path) -> Found:
    from ingest.content import image

    return image.look(path, out, "image/jpeg")


def _png(path: Path, out: Path) -> Found:
    from ingest.content import image

    return image.look(path, out, "image/png")


def _ophthalmic(path: Path, out: Path) -> Found:
    from ingest.content import ophthalmic

    return ophthalmic.look(path, out)


TABLE: dict[tuple[str, str], Look] = {
    ("ecg", "application/dicom"): _ecg_dicom,
    ("ecg", "application/edf"): _ecg_edf,
    ("retinography", "image/jpeg"): _jpeg,
    ("retinography", "image/png"): _png,
    ("retinography", "application/dicom"): _ophthalmic,
}
"""Kind and content type: the only contents that are ever opened (C-ECG-3, C-RET-2)."""

UNDECODABLE: dict[str, Rejected] = {
    "ecg": Rejected(Reason.BLOB_UNDECODABLE, "/recording/blob"),
    "retinography": Rejected(Reason.IMAGE_UNDECODABLE, "/image/blob"),
}
"""By kind: the refusal of a file that cannot be read."""


def look(path: Path, content_type: str, kind: str, out: Path) -> Found:
    """Look into the file of a reading; files made from it are written into the folder ``out``, named by hex SHA-256.

    Raises Rejected, and OSError with its ``errno`` when this machine fails (disk full): that is no fault of the file.
    """
    how = TABLE.get((kind, content_type))
    if how is None:
        noun = "image" if kind == "retinography" else "recording"
        raise Rejected(Reason.BLOB_CONTENT_TYPE, f"/{noun}/blob/content_type")
    # Libraries quote a file's values in their warnings: names of patients must not reach a log.
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    refusal = UNDECODABLE[kind]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return replace(how(path, out), sha1=_sha1(path))
    except Rejected:
        raise
    except OSError as fault:
        if fault.errno is not None:
            raise
        raise Rejected(refusal.reason, refusal.pointer) from None
    except Exception:  # noqa: BLE001 - any file may break any library in any way, and its text may quote the file
        raise Rejected(refusal.reason, refusal.pointer) from None


def _sha1(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()
