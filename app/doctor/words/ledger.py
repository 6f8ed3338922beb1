"""Of the ledger."""

from __future__ import annotations

from app.doctor.finding import Entry, Severity
from registry.words import Words

_ACKED_FR = "Rien n'est acquitté qui ne soit enregistré ; les appareils gardent le reste."
_ACKED_EN = "Nothing is acknowledged that is not kept; devices keep the rest."
_UNTOUCHED_FR, _UNTOUCHED_EN = "Rien n'a été changé.", "Nothing was changed."

ENTRIES: dict[str, Entry] = {
    "ledger.none": Entry(
        Severity.NOTE,
        Words("Il n'y a pas encore de registre ({file}).", "Rien n'a été créé.", "`constantes up` le crée."),
        Words("There is no ledger yet ({file}).", "Nothing was made.", "`constantes up` makes it."),
    ),
    "ledger.instance_silent": Entry(
        Severity.ERROR,
        Words(
            "Un processus tient le dossier {folder} et ne répond pas.",
            _ACKED_FR,
            "Attendez qu'il ait démarré ; sinon arrêtez-le et relancez `constantes up`.",
        ),
        Words(
            "A process holds the folder {folder} and does not answer.",
            _ACKED_EN,
            "Wait until it has started; otherwise stop it and start `constantes up` again.",
        ),
    ),
    "ledger.gateway_unwell": Entry(
        Severity.ERROR,
        Words(
            "L'installation tourne, mais ne prend pas de mesures : {problem}.",
            _ACKED_FR,
            "Réparez ce qui est nommé ; elle continue alors d'elle-même.",
        ),
        Words(
            "The installation runs but takes no readings: {problem}.",
            _ACKED_EN,
            "Mend what is named; it goes on by itself then.",
        ),
    ),
    "ledger.locked": Entry(
        Severity.ERROR,
        Words(
            "Un autre processus garde le verrou d'écriture de {file} depuis plus de {seconds} s.",
            _ACKED_FR,
            "Trouvez-le (`fuser` sur le fichier .lock à côté) et arrêtez-le s'il ne travaille plus.",
        ),
        Words(
            "Another process has kept the write lock of {file} for more than {seconds} s.",
            _ACKED_EN,
            "Find it (`fuser` on the .lock file beside it) and stop it if it no longer works.",
        ),
    ),
    "ledger.unreadable": Entry(
        Severity.ERROR,
        Words(
            "Le registre ne peut pas être lu : {problem}",
            _ACKED_FR,
            "Vérifiez l'adresse, les droits et le disque ; s'il est abîmé, gardez-le et restaurez une sauvegarde.",
        ),
        Words(
            "The ledger cannot be read: {problem}",
            _ACKED_EN,
            "Look at the address, the rights and the disk; if it is damaged, keep it and restore a backup.",
        ),
    ),
    "ledger.empty": Entry(
        Severity.NOTE,
        Words("La base n'a pas encore de tables.", _UNTOUCHED_FR, "`constantes up` les crée."),
        Words("The database has no tables yet.", _UNTOUCHED_EN, "`constantes up` makes them."),
    ),
    "ledger.newer": Entry(
        Severity.ERROR,
        Words(
            "Le registre a le schéma {schema}, plus récent que celui de ce programme ({head}).",
            _UNTOUCHED_FR,
            "Lancez la version qui l'a fait, ou une plus récente.",
        ),
        Words(
            "The ledger has schema {schema}, which is newer than this program's ({head}).",
            _UNTOUCHED_EN,
            "Run the version that made it, or a newer one.",
        ),
    ),
    "ledger.older": Entry(
        Severity.NOTE,
        Words(
            "Le registre a le schéma {schema} ; ce programme a {head}.",
            _UNTOUCHED_FR,
            "Faites une sauvegarde ; le prochain démarrage le met à jour.",
        ),
        Words(
            "The ledger has schema {schema}; this program has {head}.",
            _UNTOUCHED_EN,
            "Make a backup; the next start brings it up to date.",
        ),
    ),
    "ledger.no_name": Entry(
        Severity.ERROR,
        Words(
            "Le registre n'a pas de nom : ce n'est pas ce que ce programme laisse.",
            _UNTOUCHED_FR,
            "Arrêtez l'installation et lancez `constantes ledger verify`.",
        ),
        Words(
            "The ledger has no name: that is not how this program leaves one.",
            _UNTOUCHED_EN,
            "Stop the installation and run `constantes ledger verify`.",
        ),
    ),
    "ledger.other_folder": Entry(
        Severity.ERROR,
        Words(
            "{folder} n'est pas le dossier des grands contenus de ce registre.",
            "Le registre refuse de s'ouvrir avec lui : rien ne s'y mélange.",
            "Remettez le dossier qui lui appartient, de la même sauvegarde.",
        ),
        Words(
            "{folder} is not the folder of large contents of this ledger.",
            "The ledger refuses to open with it: nothing gets mixed.",
            "Put back the folder that belongs to it, from the same backup.",
        ),
    ),
    "ledger.server_loses": Entry(
        Severity.ERROR,
        Words(
            "PostgreSQL tourne avec {setting}=off : une coupure de courant emporterait ce qui est enregistré.",
            "La passerelle refuse d'y écrire.",
            "Mettez {setting} à on.",
        ),
        Words(
            "PostgreSQL runs with {setting}=off: a power cut would take what is kept.",
            "The gateway refuses to write there.",
            "Set {setting} to on.",
        ),
    ),
    "ledger.server_early": Entry(
        Severity.ERROR,
        Words(
            "PostgreSQL répond avant d'avoir écrit (synchronous_commit=off).",
            "La passerelle refuse d'y écrire.",
            "Mettez synchronous_commit à on pour la base ou le compte du registre.",
        ),
        Words(
            "PostgreSQL answers before it has written (synchronous_commit=off).",
            "The gateway refuses to write there.",
            "Set synchronous_commit to on for the ledger's database or user.",
        ),
    ),
    "ledger.no_checksums": Entry(
        Severity.NOTE,
        Words(
            "PostgreSQL ne vérifie pas ses pages (data_checksums=off).",
            "`constantes ledger verify` remarque toute ligne changée.",
            "À un arrêt prévu : `pg_checksums --enable`.",
        ),
        Words(
            "PostgreSQL does not check its pages (data_checksums=off).",
            "`constantes ledger verify` notices every row that was changed.",
            "At a planned stop: `pg_checksums --enable`.",
        ),
    ),
    "ledger.server_old": Entry(
        Severity.WARNING,
        Words(
            "PostgreSQL {version} est plus ancien que ce qui est essayé ({oldest}).",
            "Rien n'est perdu pour cela.",
            "Passez à une version que ses auteurs corrigent encore.",
        ),
        Words(
            "PostgreSQL {version} is older than what is tried ({oldest}).",
            "Nothing is lost because of it.",
            "Move to a version that its makers still mend.",
        ),
    ),
    "ledger.no_standby": Entry(
        Severity.NOTE,
        Words(
            "PostgreSQL n'attend aucun serveur de secours : ce qui est acquitté est sur une seule machine.",
            "Une coupure de courant ne perd rien ; la perte du disque, si.",
            "Ajoutez un secours synchrone si la perte d'une machine ne doit rien coûter.",
        ),
        Words(
            "PostgreSQL waits for no standby: what is acknowledged is on one machine only.",
            "A power cut loses nothing; the loss of the disk does.",
            "Add a synchronous standby if the loss of a machine must cost nothing.",
        ),
    ),
    "ledger.standby_required": Entry(
        Severity.ERROR,
        Words(
            "Un secours synchrone est exigé, et PostgreSQL n'en attend aucun.",
            "La passerelle refuse d'y écrire ; les appareils gardent tout.",
            "Réglez synchronous_standby_names, ou CONSTANTES_LEDGER__STANDBY=auto.",
        ),
        Words(
            "A synchronous standby is required, and PostgreSQL waits for none.",
            "The gateway refuses to write there; devices keep everything.",
            "Set synchronous_standby_names, or CONSTANTES_LEDGER__STANDBY=auto.",
        ),
    ),
    "ledger.standby_early": Entry(
        Severity.WARNING,
        Words(
            "synchronous_commit={setting} : la réponse n'attend pas le disque du secours.",
            "Le disque du serveur principal a tout ce qui est acquitté.",
            "Mettez synchronous_commit à on.",
        ),
        Words(
            "synchronous_commit={setting}: the answer does not wait for the standby's disk.",
            "The primary's disk has all that is acknowledged.",
            "Set synchronous_commit to on.",
        ),
    ),
    "ledger.standby_away": Entry(
        Severity.ERROR,
        Words(
            "Le secours synchrone n'est pas connecté : PostgreSQL attend, et rien n'est acquitté.",
            _ACKED_FR,
            "Remettez le secours en route.",
        ),
        Words(
            "The synchronous standby is not connected: PostgreSQL waits, and nothing is acknowledged.",
            _ACKED_EN,
            "Get the standby running again.",
        ),
    ),
}
