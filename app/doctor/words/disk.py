"""Of the disk under the data folder."""

from __future__ import annotations

from app.doctor.finding import Entry, Severity
from registry.words import Words

ENTRIES: dict[str, Entry] = {
    "disk.no_folder": Entry(
        Severity.NOTE,
        Words(
            "Le dossier de données {folder} n'existe pas.",
            "Rien n'a été créé.",
            "Placez-vous dans votre installation ou nommez-le avec CONSTANTES_DATA ; `constantes up` en crée un.",
        ),
        Words(
            "There is no data folder {folder}.",
            "Nothing was made.",
            "Go to your installation, or name it with CONSTANTES_DATA; `constantes up` makes one.",
        ),
    ),
    "disk.read_only": Entry(
        Severity.ERROR,
        Words(
            "Ce compte ne peut pas écrire dans {folder}.",
            "Rien n'est acquitté qui ne soit écrit ; les appareils gardent le reste.",
            "Donnez-lui le droit d'écrire, ou lancez l'examen sous le compte de l'installation.",
        ),
        Words(
            "This user cannot write to {folder}.",
            "Nothing is acknowledged that is not written; devices keep the rest.",
            "Give it the right to write, or run the doctor as the installation's user.",
        ),
    ),
    "disk.network": Entry(
        Severity.ERROR,
        Words(
            "{folder} est sur un disque réseau ({kind}) : ni ses verrous ni ses écritures ne sont sûrs.",
            "Ce qui est acquitté maintenant peut se perdre ou s'abîmer.",
            "Arrêtez l'installation, déplacez le dossier sur un disque de la machine, ou mettez le registre dans"
            " PostgreSQL.",
        ),
        Words(
            "{folder} is on a network disk ({kind}): neither its locks nor its flushes can be trusted.",
            "What is acknowledged now may be lost or damaged.",
            "Stop the installation and move the folder to a disk of this machine, or keep the ledger in PostgreSQL.",
        ),
    ),
    "disk.memory": Entry(
        Severity.ERROR,
        Words(
            "{folder} est en mémoire ({kind}) : un redémarrage efface tout.",
            "Rien de ce qui est acquitté n'y est sûr.",
            "Arrêtez l'installation et déplacez le dossier sur un disque.",
        ),
        Words(
            "{folder} is in memory ({kind}): a restart deletes everything.",
            "Nothing that is acknowledged is safe there.",
            "Stop the installation and move the folder to a disk.",
        ),
    ),
    "disk.layered": Entry(
        Severity.WARNING,
        Words(
            "{folder} est dans la couche d'un conteneur ({kind}) : elle disparaît avec lui.",
            "Tout est là tant que le conteneur existe.",
            "Montez un volume à cet endroit, comme docker-compose.yml.",
        ),
        Words(
            "{folder} is in a container's own layer ({kind}), which goes with the container.",
            "All is there as long as the container is.",
            "Mount a volume there, as docker-compose.yml does.",
        ),
    ),
    "disk.full": Entry(
        Severity.ERROR,
        Words(
            "Il reste {free} Mio à {folder}, moins que la réserve de {reserve} Mio.",
            "Ce qui est acquitté est écrit ; sans place, rien n'est plus acquitté et les appareils gardent le reste.",
            "Faites de la place.",
        ),
        Words(
            "There are {free} MiB left at {folder}, less than the reserve of {reserve} MiB.",
            "What is acknowledged is written; without room acknowledgements stop, and devices keep the rest.",
            "Make room.",
        ),
    ),
    "disk.low": Entry(
        Severity.WARNING,
        Words(
            "Il reste {free} Mio à {folder} ; la réserve est de {reserve} Mio.",
            "Rien n'est en danger aujourd'hui.",
            "Faites de la place avant que la réserve soit atteinte.",
        ),
        Words(
            "There are {free} MiB left at {folder}; the reserve is {reserve} MiB.",
            "Nothing is in danger today.",
            "Make room before the reserve is reached.",
        ),
    ),
    "disk.flush_quick": Entry(
        Severity.NOTE,
        Words(
            "Une écriture forcée à {folder} prend {microseconds} µs : trop peu pour atteindre un disque.",
            "Une coupure de courant peut emporter ce qui vient d'être acquitté ; un appareil qui garde ses mesures les"
            " redonne.",
            "Vérifiez le cache d'écriture du disque ou de la machine virtuelle (`hdparm -W`, mode `none` ou"
            " `writethrough`).",
        ),
        Words(
            "A flush at {folder} takes {microseconds} µs: too little to reach a disk.",
            "A power cut may take what was just acknowledged; a device that keeps its readings gives them again.",
            "Look at the write cache of the disk or the virtual machine (`hdparm -W`, mode `none` or `writethrough`).",
        ),
    ),
    "disk.flush_slow": Entry(
        Severity.WARNING,
        Words(
            "Une écriture forcée à {folder} prend {milliseconds} ms.",
            "Rien n'est perdu ; les acquittements attendent d'autant.",
            "Voyez ce qui charge ce disque ou changez-le (`smartctl -a`).",
        ),
        Words(
            "A flush at {folder} takes {milliseconds} ms.",
            "Nothing is lost; acknowledgements wait for as long.",
            "See what keeps this disk busy, or replace it (`smartctl -a`).",
        ),
    ),
    "disk.folder_open_to_others": Entry(
        Severity.ERROR,
        Words(
            "Tout le monde sur cette machine peut entrer dans {folder} ({mode}).",
            "Rien n'est perdu, mais des mesures peuvent être lues.",
            "`chmod 0700` sur ce dossier.",
        ),
        Words(
            "Everybody on this machine can enter {folder} ({mode}).",
            "Nothing is lost, but readings may be read.",
            "`chmod 0700` that folder.",
        ),
    ),
    "disk.folder_open_to_group": Entry(
        Severity.WARNING,
        Words(
            "Le groupe peut entrer dans {folder} ({mode}).",
            "Rien n'est perdu, mais des mesures peuvent être lues.",
            "`chmod 0700` sur ce dossier, à moins que ce groupe n'ait que l'installation.",
        ),
        Words(
            "The group can enter {folder} ({mode}).",
            "Nothing is lost, but readings may be read.",
            "`chmod 0700` that folder, unless nobody but the installation is in that group.",
        ),
    ),
    "disk.files_open": Entry(
        Severity.ERROR,
        Words(
            "Tout le monde peut lire {count} fichiers de {folder}, dont {file}.",
            "Rien n'est perdu, mais des mesures ou des secrets peuvent être lus.",
            "`chmod 0600` sur ces fichiers, et changez les secrets qui étaient lisibles.",
        ),
        Words(
            "Everybody can read {count} files of {folder}, {file} among them.",
            "Nothing is lost, but readings or secrets may be read.",
            "`chmod 0600` those files, and replace the secrets that could be read.",
        ),
    ),
    "disk.log_long": Entry(
        Severity.WARNING,
        Words(
            "Le journal d'écriture {file} fait {size} Mio (plus de {most}) : un lecteur trop long le retient.",
            "Tout y est ; il prend de la place et ralentit les lectures.",
            "Redémarrez le processus qui lit depuis longtemps ; le journal se vide alors de lui-même.",
        ),
        Words(
            "The write-ahead log {file} has {size} MiB (more than {most}): a reader that takes too long keeps it.",
            "All is in it; it takes room and slows reading down.",
            "Restart the process that reads for so long; the log then empties by itself.",
        ),
    ),
}
