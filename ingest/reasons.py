"""The closed registry of reasons: why a message was set aside, what it means, and who has to act.

Comes in: nothing. Goes out: ``Reason`` (the codes of the device contract, section 13), their ``Entry`` with action,
severity, meaning and texts, and ``Rejected``, which carries one with the place in the message. Refuses to know: HTTP
and OperationOutcome, whose words for each reason stand in ``fhir_export.outcome_codes``.

A code that is raised but not listed here cannot exist, because raising takes a member of the enumeration; a test holds
that every listed code is raised by a message.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """Who has to act (device contract, section 8)."""

    NONE = "none"
    FIX = "fix"
    OPERATOR = "operator"


class Severity(StrEnum):
    """What a reason means for the reading, in words of FHIR's issue-severity (http://hl7.org/fhir/issue-severity).

    ``fatal`` is never said: whatever comes in one message, those behind it are judged.
    """

    INFORMATION = "information"
    """Nothing is wrong with the bytes and nobody has to act: the sender keeps them and tries again."""
    WARNING = "warning"
    """Nothing is wrong with the bytes: they count as soon as somebody at the site has acted."""
    ERROR = "error"
    """These bytes cannot count as they are, or come from one who may not send them."""


class Reason(StrEnum):
    """Codes, in the order in which the first that applies is given (device contract, section 13)."""

    MQTT_TOPIC = "mqtt.topic"
    MQTT_RETAINED = "mqtt.retained"
    JSON_TOO_LARGE = "json.too_large"
    JSON_ENCODING = "json.encoding"
    JSON_TOO_DEEP = "json.too_deep"
    JSON_DUPLICATE_KEY = "json.duplicate_key"
    JSON_MALFORMED = "json.malformed"
    SCHEMA_VERSION = "schema.version"
    SCHEMA_MISSING = "schema.missing"
    SCHEMA_TYPE = "schema.type"
    SCHEMA_NOT_ALLOWED = "schema.not_allowed"
    SCHEMA_UNKNOWN_KIND = "schema.unknown_kind"
    DEVICE_UNKNOWN = "device.unknown"
    DEVICE_REVOKED = "device.revoked"
    DEVICE_NOT_SERVED = "device.not_served"
    NUMBER_NOT_FINITE = "number.not_finite"
    NUMBER_OUT_OF_RANGE = "number.out_of_range"
    UNIT_MISSING = "unit.missing"
    UNIT_NOT_ALLOWED = "unit.not_allowed"
    VALUE_IMPOSSIBLE = "value.impossible"
    VALUE_INCONSISTENT = "value.inconsistent"
    ECG_LEADS = "ecg.leads"
    ECG_LENGTH = "ecg.length"
    ECG_SAMPLING = "ecg.sampling"
    BLOB_PART = "blob.part"
    BLOB_CONTENT_TYPE = "blob.content_type"
    BLOB_TOO_LARGE = "blob.too_large"
    BLOB_QUOTA = "blob.quota"
    BLOB_HASH_MISMATCH = "blob.hash_mismatch"
    BLOB_UNDECODABLE = "blob.undecodable"
    IMAGE_TOO_LARGE = "image.too_large"
    IMAGE_UNDECODABLE = "image.undecodable"
    IMAGE_LATERALITY_MISSING = "image.laterality_missing"
    IMAGE_LATERALITY_CONFLICT = "image.laterality_conflict"
    TIME_FORMAT = "time.format"
    TIME_FUTURE = "time.future"
    TIME_UNSET_CLOCK = "time.unset_clock"
    TIME_TOO_OLD = "time.too_old"
    KEY_CONFLICT = "key.conflict"
    FLOW_SLOW_DOWN = "flow.slow_down"


class Rejected(Exception):  # noqa: N818 - it is the verdict on a message, not a failure of ours
    """A message is set aside: ``reason`` says why, ``pointer`` (JSON pointer, RFC 6901) where.

    The text holds the code and the pointer only, never a value: exceptions end up in logs.
    """

    def __init__(self, reason: Reason, pointer: str | None = None) -> None:
        super().__init__(f"{reason} {pointer or ''}".rstrip())
        self.reason = reason
        self.pointer = pointer


_ORDER = {reason: place for place, reason in enumerate(Reason)}


def first(faults: Iterable[Rejected]) -> Rejected:
    """Of at least one fault, the one that is given: by the order of ``Reason``, then as they come."""
    return min(faults, key=lambda fault: _ORDER[fault.reason])


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the registry: ``meaning`` for engineers, ``fr`` and ``en`` for the people at the site."""

    action: Action
    severity: Severity
    meaning: str
    fr: str
    en: str


REGISTRY: dict[Reason, Entry] = {
    Reason.MQTT_TOPIC: Entry(
        Action.FIX,
        Severity.ERROR,
        "The topic is not one that a device may publish on.",
        "L'appareil a publié sur un sujet inconnu.",
        "The device published on an unknown topic.",
    ),
    Reason.MQTT_RETAINED: Entry(
        Action.FIX,
        Severity.ERROR,
        "The message was retained by the broker: an old value could look new.",
        "Message conservé par le courtier : une ancienne mesure pourrait paraître nouvelle.",
        "Message retained by the broker: an old measurement could look new.",
    ),
    Reason.JSON_TOO_LARGE: Entry(
        Action.FIX,
        Severity.ERROR,
        "The message is longer than 1,000,000 bytes; its hash, length and first 64 KiB are kept.",
        "Message trop long.",
        "Message too long.",
    ),
    Reason.JSON_ENCODING: Entry(
        Action.FIX,
        Severity.ERROR,
        "The message is not UTF-8, has a byte order mark, or escapes half a character.",
        "Message mal encodé (UTF-8 attendu).",
        "Message wrongly encoded (UTF-8 expected).",
    ),
    Reason.JSON_TOO_DEEP: Entry(
        Action.FIX,
        Severity.ERROR,
        "The JSON is nested deeper than 200 levels.",
        "Message trop imbriqué.",
        "Message nested too deeply.",
    ),
    Reason.JSON_DUPLICATE_KEY: Entry(
        Action.FIX,
        Severity.ERROR,
        "A member name stands twice in one object, so its value is ambiguous.",
        "Un champ est présent deux fois.",
        "A field is present twice.",
    ),
    Reason.JSON_MALFORMED: Entry(
        Action.FIX,
        Severity.ERROR,
        "The payload is not one JSON text.",
        "Message illisible.",
        "Unreadable message.",
    ),
    Reason.SCHEMA_VERSION: Entry(
        Action.FIX,
        Severity.ERROR,
        "`v` is not 1.",
        "Version de message inconnue.",
        "Unknown message version.",
    ),
    Reason.SCHEMA_MISSING: Entry(
        Action.FIX,
        Severity.ERROR,
        "A required member is absent.",
        "Un champ obligatoire manque.",
        "A required field is missing.",
    ),
    Reason.SCHEMA_TYPE: Entry(
        Action.FIX,
        Severity.ERROR,
        "A member has the wrong type or form, or the payload is not an object.",
        "Un champ n'a pas la forme attendue.",
        "A field does not have the expected form.",
    ),
    Reason.SCHEMA_NOT_ALLOWED: Entry(
        Action.FIX,
        Severity.ERROR,
        "A name or word that the contract does not list for this kind, or a form that this version does not take.",
        "Un champ ou un mot n'est pas prévu pour ce type de mesure.",
        "A field or word is not allowed for this kind of reading.",
    ),
    Reason.SCHEMA_UNKNOWN_KIND: Entry(
        Action.FIX,
        Severity.ERROR,
        "The kind is not one that this version takes.",
        "Type de mesure inconnu.",
        "Unknown kind of reading.",
    ),
    Reason.DEVICE_UNKNOWN: Entry(
        Action.OPERATOR,
        Severity.WARNING,
        "No such device is registered.",
        "Appareil non enregistré : enregistrez-le ; ce qui a été reçu attend en quarantaine.",
        "Device not registered: register it; what was kept waits in the quarantine.",
    ),
    Reason.DEVICE_REVOKED: Entry(
        Action.OPERATOR,
        Severity.ERROR,
        "The device's registration was revoked.",
        "Appareil révoqué.",
        "Device revoked.",
    ),
    Reason.DEVICE_NOT_SERVED: Entry(
        Action.OPERATOR,
        Severity.ERROR,
        "A hub speaks for a device that the registry does not let it serve.",
        "Ce concentrateur n'est pas autorisé à parler pour cet appareil.",
        "This hub may not speak for this device.",
    ),
    Reason.NUMBER_NOT_FINITE: Entry(
        Action.FIX,
        Severity.ERROR,
        "NaN or Infinity stands in the message.",
        "Une valeur n'est pas un nombre.",
        "A value is not a number.",
    ),
    Reason.NUMBER_OUT_OF_RANGE: Entry(
        Action.FIX,
        Severity.ERROR,
        "A number is too long or too large to be kept exactly.",
        "Un nombre est trop grand ou trop long.",
        "A number is too large or too long.",
    ),
    Reason.UNIT_MISSING: Entry(
        Action.FIX,
        Severity.ERROR,
        "A value has no unit.",
        "Une valeur n'a pas d'unité.",
        "A value has no unit.",
    ),
    Reason.UNIT_NOT_ALLOWED: Entry(
        Action.FIX,
        Severity.ERROR,
        "The unit is not one of the UCUM codes listed for this value.",
        "Unité non prévue pour cette valeur.",
        "Unit not allowed for this value.",
    ),
    Reason.VALUE_IMPOSSIBLE: Entry(
        Action.FIX,
        Severity.ERROR,
        "The value lies outside what is possible in a living person.",
        "Valeur impossible.",
        "Impossible value.",
    ),
    Reason.VALUE_INCONSISTENT: Entry(
        Action.FIX,
        Severity.ERROR,
        "Two values of the reading contradict each other.",
        "Deux valeurs de la mesure se contredisent.",
        "Two values of the reading contradict each other.",
    ),
    Reason.ECG_LEADS: Entry(
        Action.FIX,
        Severity.ERROR,
        "No lead, an unknown lead, or `unspecified` beside named ones.",
        "Dérivations de l'ECG inconnues ou absentes.",
        "ECG leads unknown or absent.",
    ),
    Reason.ECG_LENGTH: Entry(
        Action.FIX,
        Severity.ERROR,
        "Leads of different length, shorter than 1 s, too long to be sent inline, or samples that do not decode.",
        "Durée de l'ECG non valable.",
        "ECG length not valid.",
    ),
    Reason.ECG_SAMPLING: Entry(
        Action.FIX,
        Severity.ERROR,
        "Sampling outside 50..2000 Hz, or a step of zero.",
        "Échantillonnage de l'ECG non valable.",
        "ECG sampling not valid.",
    ),
    Reason.BLOB_PART: Entry(
        Action.FIX,
        Severity.ERROR,
        "A part does not start at a multiple of 64 KiB, is empty, longer than 256 KiB, or reaches past the end.",
        "Un morceau de fichier est mal découpé.",
        "A part of a file is wrongly cut.",
    ),
    Reason.BLOB_CONTENT_TYPE: Entry(
        Action.FIX,
        Severity.ERROR,
        "The content type is not one that the kind takes, or the file is not of the type that was said.",
        "Type de fichier non accepté, ou différent de celui annoncé.",
        "File type not taken, or not the one that was said.",
    ),
    Reason.BLOB_TOO_LARGE: Entry(
        Action.FIX,
        Severity.ERROR,
        "The content is longer than the contract allows (512 MiB for a recording, 100 MiB for an image), or empty.",
        "Fichier trop volumineux.",
        "File too large.",
    ),
    Reason.BLOB_QUOTA: Entry(
        Action.OPERATOR,
        Severity.WARNING,
        "The device has more unfinished files under way than it may keep here.",
        "Trop de fichiers en cours pour cet appareil : réessai plus tard.",
        "Too many files under way for this device: it tries again later.",
    ),
    Reason.BLOB_HASH_MISMATCH: Entry(
        Action.FIX,
        Severity.ERROR,
        "All parts came, but together they have another SHA-256 than the reading said; they were dropped.",
        "Le fichier reçu n'est pas celui annoncé.",
        "The file received is not the one that was said.",
    ),
    Reason.BLOB_UNDECODABLE: Entry(
        Action.FIX,
        Severity.ERROR,
        "The file is cut, broken, or asks for more memory or time than looking at it may take.",
        "Fichier illisible.",
        "Unreadable file.",
    ),
    Reason.IMAGE_TOO_LARGE: Entry(
        Action.FIX,
        Severity.ERROR,
        "The picture's header says more than 100 megapixels.",
        "Image trop grande.",
        "Picture too large.",
    ),
    Reason.IMAGE_UNDECODABLE: Entry(
        Action.FIX,
        Severity.ERROR,
        "The file is no picture of the allowed forms, or it is cut or broken.",
        "Image illisible.",
        "Unreadable picture.",
    ),
    Reason.IMAGE_LATERALITY_MISSING: Entry(
        Action.FIX,
        Severity.ERROR,
        "Neither the reading nor its file says which eye, or which field, the photograph shows.",
        "Œil ou champ de la photographie non précisé.",
        "The eye or the field of the photograph is not told.",
    ),
    Reason.IMAGE_LATERALITY_CONFLICT: Entry(
        Action.FIX,
        Severity.ERROR,
        "The reading and its file say different eyes or fields.",
        "La mesure et son fichier ne disent pas le même œil ou le même champ.",
        "The reading and its file tell different eyes or fields.",
    ),
    Reason.TIME_FORMAT: Entry(
        Action.FIX,
        Severity.ERROR,
        "`taken_at` is not RFC 3339 with an offset or Z.",
        "Heure de mesure illisible.",
        "Unreadable time of measurement.",
    ),
    Reason.TIME_FUTURE: Entry(
        Action.FIX,
        Severity.ERROR,
        "The measurement lies more than 5 minutes ahead of the gateway.",
        "Heure de mesure dans le futur.",
        "Time of measurement in the future.",
    ),
    Reason.TIME_UNSET_CLOCK: Entry(
        Action.FIX,
        Severity.ERROR,
        "The measurement lies before 2015: a clock that was never set.",
        "Horloge de l'appareil jamais réglée.",
        "The device's clock was never set.",
    ),
    Reason.TIME_TOO_OLD: Entry(
        Action.OPERATOR,
        Severity.WARNING,
        "The measurement is older than the setting allows (90 days).",
        "Mesure trop ancienne.",
        "Measurement too old.",
    ),
    Reason.KEY_CONFLICT: Entry(
        Action.FIX,
        Severity.ERROR,
        "Another reading was already kept under the same device, stream and seq.",
        "Une autre mesure porte déjà ce numéro.",
        "Another reading already has this number.",
    ),
    Reason.FLOW_SLOW_DOWN: Entry(
        Action.NONE,
        Severity.INFORMATION,
        "The device sends more than its share: this message was not kept, and the device tries again later.",
        "Trop de messages à la fois : l'appareil réessaiera plus tard, rien n'est perdu.",
        "Too many messages at once: the device tries again later, nothing is lost.",
    ),
}
