"""The closed registry of alarms: what went wrong, how bad it is, and in two languages what to do about it.

Comes in: nothing. Goes out: ``Code`` and its ``Entry`` with texts. Refuses to know: whether one is raised now.

An *event* is noted by whoever sees it happen (``ingest.ledger.alarms``), and open until it is over or a person clears
it. A *state* is worked out when somebody asks, and over when it is. Alarms are about the installation, never about a
measured value. ``{subject}`` is a device, a destination, a reason or a part of the program; ``{count}`` how many or how
often.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from registry.words import Words


class Severity(StrEnum):
    """``error``: readings do not go on, or may be lost, until somebody acts. ``warning``: somebody should look."""

    ERROR = "error"
    WARNING = "warning"


class Sort(StrEnum):
    """Where an alarm comes from."""

    EVENT = "event"
    STATE = "state"


class Code(StrEnum):
    """Dotted words; the first says what it is about."""

    BROKER_AWAY = "broker.away"
    BROKER_SESSION_LOST = "broker.session_lost"
    CLOCK_UNDISCIPLINED = "clock.undisciplined"
    CONTENT_LATE = "content.late"
    DELIVERY_LATE = "delivery.late"
    DELIVERY_PARKED = "delivery.parked"
    DESTINATION_UNREACHABLE = "destination.unreachable"
    DEVICE_EUI64_CHANGED = "device.eui64_changed"
    DEVICE_FLOOD = "device.flood"
    DEVICE_KEY_CONFLICT = "device.key_conflict"
    DEVICE_REPLAYS_OLD = "device.replays_old"
    DEVICE_UNHEARD = "device.unheard"
    GAP_OPEN = "gap.open"
    INBOX_OLD = "inbox.old"
    INSPECTION_LATE = "inspection.late"
    LEDGER_AWAY = "ledger.away"
    LEDGER_DISK_RESERVE = "ledger.disk_reserve"
    LEDGER_ROW_CHANGED = "ledger.row_changed"
    LEDGER_WRITE_FAILED = "ledger.write_failed"
    PART_PROBLEM = "part.problem"
    PART_SILENT = "part.silent"
    PUBLISHING_LATE = "publishing.late"
    QUARANTINE_WAITING = "quarantine.waiting"
    SERIES_LATE = "series.late"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the registry."""

    sort: Sort
    severity: Severity
    fr: Words
    en: Words


_KEPT_FR = "Tout ce qui a été acquitté est gardé."
_KEPT_EN = "Everything that was acknowledged is kept."
_DEVICES_FR = "Les appareils gardent ce qui n'a pas été acquitté et l'offrent à nouveau."
_DEVICES_EN = "Devices keep what was not acknowledged and offer it again."
_EVENT, _STATE = Sort.EVENT, Sort.STATE
_ERROR, _WARNING = Severity.ERROR, Severity.WARNING

REGISTRY: dict[Code, Entry] = {
    Code.BROKER_AWAY: Entry(
        _STATE,
        _ERROR,
        Words(
            "La passerelle n'a pas de session chez le courtier : aucune mesure n'arrive.",
            _DEVICES_FR,
            "Voir que le courtier tourne et qu'il admet la passerelle ; elle se reconnecte d'elle-même.",
        ),
        Words(
            "The gateway has no session at the broker: no reading comes in.",
            _DEVICES_EN,
            "See that the broker runs and lets the gateway in; it connects again by itself.",
        ),
    ),
    Code.BROKER_SESSION_LOST: Entry(
        _EVENT,
        _WARNING,
        Words(
            "Le courtier a oublié la session de la passerelle : ce qu'il a pris depuis `since` peut être perdu.",
            "Les appareils qui attendent un reçu envoient à nouveau ; ce qui manque reste visible comme trou.",
            "`constantes gaps list` ; voir que le courtier garde ses sessions sur disque, puis effacer l'alarme.",
        ),
        Words(
            "The broker forgot the gateway's session: what it took since `since` may be gone.",
            "Devices that wait for a receipt send again; what is missing shows as a gap.",
            "`constantes gaps list`; see that the broker keeps sessions on disk, then clear the alarm.",
        ),
    ),
    Code.CLOCK_UNDISCIPLINED: Entry(
        _STATE,
        _WARNING,
        Words(
            "L'horloge de cette machine n'est pas synchronisée : elle ne corrige aucun appareil.",
            "Les mesures sont acceptées ; leur heure est marquée comme non vérifiée quand il le faut.",
            "Démarrer chrony ou systemd-timesyncd, ou dire CONSTANTES_CLOCK__DISCIPLINED=yes si on sait mieux.",
        ),
        Words(
            "This machine's clock is not synchronised: it corrects no device.",
            "Readings are accepted; where it matters their time is marked as unverified.",
            "Start chrony or systemd-timesyncd, or set CONSTANTES_CLOCK__DISCIPLINED=yes where you know better.",
        ),
    ),
    Code.CONTENT_LATE: Entry(
        _STATE,
        _WARNING,
        Words(
            "{count} mesures de {subject} attendent la suite de leur fichier.",
            "Ce qui est arrivé est gardé ; l'appareil sait ce qui manque.",
            "Connecter l'appareil ; `constantes trace` montre ce qui manque.",
        ),
        Words(
            "{count} readings of {subject} wait for the rest of their file.",
            "What came is kept; the device knows what is missing.",
            "Connect the device; `constantes trace` shows what is missing.",
        ),
    ),
    Code.DELIVERY_LATE: Entry(
        _STATE,
        _ERROR,
        Words(
            "{count} versions attendent trop longtemps d'être livrées à {subject}.",
            f"{_KEPT_FR} Elles partent d'elles-mêmes, dans l'ordre.",
            "`constantes deliveries list` dit pourquoi ; remettre le dossier en service.",
        ),
        Words(
            "{count} versions have waited too long to be delivered to {subject}.",
            f"{_KEPT_EN} They leave by themselves, in order.",
            "`constantes deliveries list` says why; bring the record back.",
        ),
    ),
    Code.DELIVERY_PARKED: Entry(
        _STATE,
        _ERROR,
        Words(
            "{count} versions ont été refusées par {subject} et attendent une personne.",
            f"{_KEPT_FR} Rien d'autre n'attend derrière elles.",
            "`constantes deliveries list --state parked` montre le code ; voir la page « push to a FHIR server ».",
        ),
        Words(
            "{count} versions were refused by {subject} and wait for a person.",
            f"{_KEPT_EN} Nothing else waits behind them.",
            "`constantes deliveries list --state parked` shows the code; see the page on pushing to a FHIR server.",
        ),
    ),
    Code.DESTINATION_UNREACHABLE: Entry(
        _STATE,
        _ERROR,
        Words(
            "{subject} ne prend rien en ce moment.",
            f"{_KEPT_FR} Les livraisons reprennent d'elles-mêmes.",
            "Voir que ce dossier tourne, son adresse et son jeton ; `constantes deliveries list` montre le code.",
        ),
        Words(
            "{subject} takes nothing at the moment.",
            f"{_KEPT_EN} Deliveries go on by themselves.",
            "See that this record runs, its address and its token; `constantes deliveries list` shows the code.",
        ),
    ),
    Code.DEVICE_EUI64_CHANGED: Entry(
        _EVENT,
        _WARNING,
        Words(
            "{subject} annonce un autre EUI-64 que celui qui est enregistré.",
            "L'EUI-64 enregistré reste celui des ressources.",
            "Voir quel appareil se sert de ce nom ; renouveler son secret si ce n'est pas le bon.",
        ),
        Words(
            "{subject} tells another EUI-64 than the one that is registered.",
            "The registered EUI-64 stays the one in resources.",
            "See which device uses this name; rotate its secret if it is the wrong one.",
        ),
    ),
    Code.DEVICE_FLOOD: Entry(
        _EVENT,
        _WARNING,
        Words(
            "{subject} envoie plus que sa part et a été prié de ralentir.",
            "Les autres appareils passent ; ses propres mesures sont gardées.",
            "Voir ce qu'il envoie (`constantes reading list --device {subject}`) ; le réparer ou le révoquer.",
        ),
        Words(
            "{subject} sends more than its share and was asked to slow down.",
            "Other devices go on; its own readings are kept.",
            "See what it sends (`constantes reading list --device {subject}`); mend it, or revoke it.",
        ),
    ),
    Code.DEVICE_KEY_CONFLICT: Entry(
        _EVENT,
        _ERROR,
        Words(
            "{subject} a donné à une mesure un numéro déjà pris par une autre.",
            "La première mesure reste ; l'autre attend en quarantaine.",
            "Deux appareils partagent peut-être une mémoire copiée : donner à chacun son nom et son secret.",
        ),
        Words(
            "{subject} gave a reading a number that another one has already.",
            "The first reading stays; the other one waits in the quarantine.",
            "Two devices may share copied memory: give each a name and a secret of its own.",
        ),
    ),
    Code.DEVICE_REPLAYS_OLD: Entry(
        _EVENT,
        _WARNING,
        Words(
            "{subject} renvoie sans cesse d'anciennes mesures déjà gardées.",
            "Elles sont reconnues et ne comptent qu'une fois.",
            "Voir s'il garde les reçus ; sa mémoire est peut-être pleine ou défectueuse.",
        ),
        Words(
            "{subject} keeps sending old readings again that were kept before.",
            "They are recognised and count once.",
            "See whether it keeps receipts; its memory may be full or broken.",
        ),
    ),
    Code.DEVICE_UNHEARD: Entry(
        _STATE,
        _WARNING,
        Words(
            "{subject} ne dit plus rien.",
            "Ce qu'il mesure reste dans l'appareil jusqu'à sa prochaine connexion.",
            "Voir qu'il est allumé et connecté ; le révoquer s'il n'est plus en service.",
        ),
        Words(
            "{subject} has fallen silent.",
            "What it measures stays on the device until it connects again.",
            "See that it is on and connected; revoke it when it is out of service.",
        ),
    ),
    Code.GAP_OPEN: Entry(
        _STATE,
        _WARNING,
        Words(
            "{count} mesures numérotées de {subject} ne sont jamais arrivées, malgré une demande.",
            "Les mesures suivantes ne sont pas retenues.",
            "`constantes gaps list` ; connecter l'appareil : il les renvoie, ou dit qu'elles sont perdues.",
        ),
        Words(
            "{count} numbered readings of {subject} never came, though they were asked for.",
            "Later readings are not held back.",
            "`constantes gaps list`; connect the device: it sends them again, or says that they are lost.",
        ),
    ),
    Code.INBOX_OLD: Entry(
        _STATE,
        _WARNING,
        Words(
            "{count} mesures de {subject} attendent un patient.",
            "Elles sont gardées et n'iront chez personne par hasard.",
            "`constantes assign {subject} PATIENT`, avec la date depuis laquelle il le porte.",
        ),
        Words(
            "{count} readings of {subject} wait for a patient.",
            "They are kept, and go to nobody by chance.",
            "`constantes assign {subject} PATIENT`, with the time since when it is theirs.",
        ),
    ),
    Code.INSPECTION_LATE: Entry(
        _STATE,
        _ERROR,
        Words(
            "{count} fichiers complets attendent d'être examinés.",
            _KEPT_FR,
            "Voir que `inspect` tourne (`constantes healthy inspect`, `office` sous `up`).",
        ),
        Words(
            "{count} whole files wait to be looked into.",
            _KEPT_EN,
            "See that `inspect` runs (`constantes healthy inspect`; `office` under `up`).",
        ),
    ),
    Code.LEDGER_AWAY: Entry(
        _STATE,
        _ERROR,
        Words(
            "Le registre des mesures ne peut pas être lu ; d'autres alarmes peuvent manquer ici.",
            f"{_KEPT_FR} {_DEVICES_FR}",
            "Remettre la base ou le disque en service ; le programme reprend de lui-même.",
        ),
        Words(
            "The ledger cannot be read; other alarms may be missing here.",
            f"{_KEPT_EN} {_DEVICES_EN}",
            "Bring the database or the disk back; the program goes on by itself.",
        ),
    ),
    Code.LEDGER_DISK_RESERVE: Entry(
        _STATE,
        _ERROR,
        Words(
            "La réserve du disque est entamée : plus aucune mesure n'est prise.",
            f"{_KEPT_FR} {_DEVICES_FR}",
            "Libérer de la place ou agrandir le disque ; ne rien effacer dans le dossier de données.",
        ),
        Words(
            "The disk's reserve is being used up: no reading is taken any more.",
            f"{_KEPT_EN} {_DEVICES_EN}",
            "Free some space or enlarge the disk; delete nothing in the data folder.",
        ),
    ),
    Code.LEDGER_ROW_CHANGED: Entry(
        _EVENT,
        _ERROR,
        Words(
            "Une ligne du registre n'est plus telle qu'elle a été écrite.",
            "Elle n'est ni publiée ni livrée ; les autres continuent.",
            "`constantes ledger verify` dit laquelle ; restaurer une sauvegarde, voir le disque, effacer l'alarme.",
        ),
        Words(
            "A row of the ledger is no longer as it was written.",
            "It is neither published nor delivered; the others go on.",
            "`constantes ledger verify` says which; restore a backup, look at the disk, clear the alarm.",
        ),
    ),
    Code.LEDGER_WRITE_FAILED: Entry(
        _EVENT,
        _ERROR,
        Words(
            "Une écriture du registre a échoué.",
            "Rien n'a été acquitté qui ne soit sur le disque.",
            "Voir le disque (`dmesg`, SMART) et `constantes ledger verify`, puis effacer l'alarme.",
        ),
        Words(
            "A write of the ledger failed.",
            "Nothing was acknowledged that is not on disk.",
            "Look at the disk (`dmesg`, SMART) and at `constantes ledger verify`, then clear the alarm.",
        ),
    ),
    Code.PART_PROBLEM: Entry(
        _STATE,
        _ERROR,
        Words(
            "{subject} ne fait pas son travail.",
            f"{_KEPT_FR} {_DEVICES_FR}",
            "`constantes healthy {subject}` dit pourquoi.",
        ),
        Words(
            "{subject} does not do its work.",
            f"{_KEPT_EN} {_DEVICES_EN}",
            "`constantes healthy {subject}` says why.",
        ),
    ),
    Code.PART_SILENT: Entry(
        _STATE,
        _ERROR,
        Words(
            "{subject} ne donne pas signe de vie.",
            f"{_KEPT_FR} {_DEVICES_FR}",
            "Lire son journal et le redémarrer.",
        ),
        Words(
            "{subject} gives no sign of life.",
            f"{_KEPT_EN} {_DEVICES_EN}",
            "Read its log and start it again.",
        ),
    ),
    Code.PUBLISHING_LATE: Entry(
        _STATE,
        _ERROR,
        Words(
            "{count} mesures gardées ne sont pas encore publiées : ni dossier ni logiciel ne les voit.",
            _KEPT_FR,
            "Voir que `export` tourne (`constantes healthy export`, `office` sous `up`).",
        ),
        Words(
            "{count} readings that were kept are not published yet: no record and no software sees them.",
            _KEPT_EN,
            "See that `export` runs (`constantes healthy export`; `office` under `up`).",
        ),
    ),
    Code.QUARANTINE_WAITING: Entry(
        _STATE,
        _WARNING,
        Words(
            "{count} messages mis de côté pour {subject} attendent une décision du site.",
            "Ils sont gardés tels quels.",
            "`constantes quarantine list` ; corriger la cause, puis les faire juger à nouveau ou les écarter.",
        ),
        Words(
            "{count} messages set aside for {subject} wait for the site to decide.",
            "They are kept as they came.",
            "`constantes quarantine list`; mend the cause, then have them judged again or dismiss them.",
        ),
    ),
    Code.SERIES_LATE: Entry(
        _STATE,
        _WARNING,
        Words(
            "Les courbes sont en retard de {count} mesures.",
            f"{_KEPT_FR} Le dossier n'en dépend pas.",
            "`constantes series show` dit pourquoi.",
        ),
        Words(
            "Trends are {count} readings behind.",
            f"{_KEPT_EN} The record does not depend on them.",
            "`constantes series show` says why.",
        ),
    ),
}

_NEWER = {
    "fr": Words(
        "Une alarme que cette version ne connaît pas, pour {subject}.",
        _KEPT_FR,
        "Lire la documentation de la version qui l'a écrite.",
    ),
    "en": Words(
        "An alarm that this version does not know, about {subject}.",
        _KEPT_EN,
        "See the documentation of the version that wrote it.",
    ),
}


def words(code: str, language: Literal["fr", "en"], subject: str, count: int) -> Words:
    """The texts of one alarm."""
    entry = REGISTRY[Code(code)] if code in REGISTRY else None
    said = _NEWER[language] if entry is None else entry.fr if language == "fr" else entry.en
    return Words(*(text.format(subject=subject, count=count) for text in (said.happened, said.safe, said.remedy)))
