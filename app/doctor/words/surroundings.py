"""Of the clock, and of the looks themselves."""

from __future__ import annotations

from app.doctor.finding import Entry, Severity
from registry.words import Words

_MARKED_FR = "Les mesures sont gardées ; les heures douteuses sont marquées non vérifiées."
_MARKED_EN = "Readings are kept; times in doubt are marked unverified."

DOCTOR: dict[str, Entry] = {
    "doctor.unfinished": Entry(
        Severity.WARNING,
        Words(
            "L'examen « {look} » n'a pas fini en {seconds} s.",
            "Ce que les autres ont trouvé est valable.",
            "Refaites-le seul : `constantes doctor --only {look}`.",
        ),
        Words(
            "The look `{look}` did not end within {seconds} s.",
            "What the others found holds.",
            "Ask for it alone: `constantes doctor --only {look}`.",
        ),
    ),
    "doctor.broken": Entry(
        Severity.WARNING,
        Words(
            "L'examen « {look} » s'est cassé ({error}).",
            "Ce que les autres ont trouvé est valable.",
            "Signalez-le, avec ce mot et la version (`constantes --version`).",
        ),
        Words(
            "The look `{look}` broke ({error}).",
            "What the others found holds.",
            "Report it, with that word and the version (`constantes --version`).",
        ),
    ),
}

CLOCK: dict[str, Entry] = {
    "clock.undisciplined": Entry(
        Severity.WARNING,
        Words(
            "Le noyau ne tient pas l'horloge pour synchronisée.",
            _MARKED_FR,
            "Activez NTP (`timedatectl set-ntp true`), ou CONSTANTES_CLOCK__DISCIPLINED=yes si l'hôte s'en charge.",
        ),
        Words(
            "The kernel does not take the clock for synchronised.",
            _MARKED_EN,
            "Switch NTP on (`timedatectl set-ntp true`), or CONSTANTES_CLOCK__DISCIPLINED=yes if the host sees to it.",
        ),
    ),
    "clock.declared_right": Entry(
        Severity.NOTE,
        Words(
            "L'horloge est déclarée juste (CONSTANTES_CLOCK__DISCIPLINED=yes) ; le noyau n'en sait rien.",
            "Les mesures gardent l'heure de l'appareil et celle de la réception.",
            "Assurez-vous que quelqu'un la règle, l'hôte par exemple.",
        ),
        Words(
            "The clock is declared right (CONSTANTES_CLOCK__DISCIPLINED=yes); the kernel does not know of it.",
            "Readings keep the device's time and that of their arrival.",
            "See that somebody sets it, the host for instance.",
        ),
    ),
    "clock.declared_wrong": Entry(
        Severity.WARNING,
        Words(
            "L'horloge est déclarée non fiable (CONSTANTES_CLOCK__DISCIPLINED=no).",
            _MARKED_FR,
            "Activez NTP et mettez ce réglage à auto.",
        ),
        Words(
            "The clock is declared not to be trusted (CONSTANTES_CLOCK__DISCIPLINED=no).",
            _MARKED_EN,
            "Switch NTP on and set it to auto.",
        ),
    ),
    "clock.far": Entry(
        Severity.WARNING,
        Words(
            "L'horloge de {server} s'écarte de {seconds} s de la nôtre.",
            "Les mesures sont gardées, avec l'heure de l'appareil et celle de la réception.",
            "Trouvez laquelle des deux est fausse, et réglez-la par NTP.",
        ),
        Words(
            "The clock of {server} is {seconds} s from ours.",
            "Readings are kept, with the device's time and that of their arrival.",
            "Find out which of the two is wrong, and have NTP set it.",
        ),
    ),
    "clock.too_far": Entry(
        Severity.ERROR,
        Words(
            "L'horloge de {server} s'écarte de {seconds} s de la nôtre : mesures ou jetons peuvent être refusés.",
            "Ce qui est refusé est gardé en quarantaine, ou attend.",
            "Trouvez laquelle des deux est fausse, et réglez-la par NTP.",
        ),
        Words(
            "The clock of {server} is {seconds} s from ours: readings or tokens may be refused.",
            "What is refused is kept in the quarantine, or waits.",
            "Find out which of the two is wrong, and have NTP set it.",
        ),
    ),
}
