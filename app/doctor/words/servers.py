"""Of the time series and the records."""

from __future__ import annotations

from app.doctor.finding import Entry, Severity
from registry.words import Words

_WAITS_FR = "Chaque mesure est gardée dans le registre ; l'envoi attend."
_WAITS_EN = "Every reading is kept in the ledger; sending waits."
_TRENDS_FR = "Chaque mesure est gardée dans le registre ; seules les tendances manquent."
_TRENDS_EN = "Every reading is kept in the ledger; only trends are missing."

SERIES: dict[str, Entry] = {
    "series.unreachable": Entry(
        Severity.WARNING,
        Words(
            "InfluxDB ne répond pas à {url}.",
            _TRENDS_FR,
            "Vérifiez qu'il tourne, et CONSTANTES_SERIES__URL.",
        ),
        Words("InfluxDB does not answer at {url}.", _TRENDS_EN, "See that it runs, and CONSTANTES_SERIES__URL."),
    ),
    "series.no_token": Entry(
        Severity.WARNING,
        Words(
            "Le fichier du jeton d'InfluxDB est vide ou illisible.",
            _TRENDS_FR,
            "Mettez le jeton dans le fichier que nomme CONSTANTES_SERIES__TOKEN_FILE.",
        ),
        Words(
            "The file of InfluxDB's token is empty or cannot be read.",
            _TRENDS_EN,
            "Put the token into the file that CONSTANTES_SERIES__TOKEN_FILE names.",
        ),
    ),
    "series.token_refused": Entry(
        Severity.WARNING,
        Words(
            "InfluxDB refuse le jeton.",
            _TRENDS_FR,
            "Mettez-en un valable dans le fichier que nomme CONSTANTES_SERIES__TOKEN_FILE ; il est relu de lui-même.",
        ),
        Words(
            "InfluxDB refuses the token.",
            _TRENDS_EN,
            "Put a valid one into the file that CONSTANTES_SERIES__TOKEN_FILE names; it is read again by itself.",
        ),
    ),
    "series.answered": Entry(
        Severity.WARNING,
        Words("InfluxDB a répondu {status}.", _TRENDS_FR, "Lisez son journal."),
        Words("InfluxDB answered {status}.", _TRENDS_EN, "Read its log."),
    ),
    "series.no_bucket": Entry(
        Severity.WARNING,
        Words(
            "InfluxDB n'a pas de bucket {bucket}, ou le jeton ne le voit pas.",
            _TRENDS_FR,
            "Créez-le, ou donnez un jeton qui peut le faire : il se crée alors de lui-même.",
        ),
        Words(
            "InfluxDB has no bucket {bucket}, or the token does not see it.",
            _TRENDS_EN,
            "Make it, or give a token that may: it is then made by itself.",
        ),
    ),
    "series.retention": Entry(
        Severity.WARNING,
        Words(
            "Le bucket {bucket} garde {kept} ; CONSTANTES_SERIES__KEEP_DAYS demande {wanted}.",
            _TRENDS_FR,
            "Corrigez la rétention du bucket ou le réglage.",
        ),
        Words(
            "The bucket {bucket} keeps {kept}; CONSTANTES_SERIES__KEEP_DAYS asks for {wanted}.",
            _TRENDS_EN,
            "Correct the bucket's retention or the setting.",
        ),
    ),
    "series.may_not_write": Entry(
        Severity.WARNING,
        Words(
            "Le jeton ne peut pas écrire dans le bucket {bucket}.",
            _TRENDS_FR,
            "Donnez un jeton qui lit et écrit {bucket} et {bucket}_hourly.",
        ),
        Words(
            "The token may not write to the bucket {bucket}.",
            _TRENDS_EN,
            "Give one that may read and write {bucket} and {bucket}_hourly.",
        ),
    ),
}

DESTINATION: dict[str, Entry] = {
    "destination.none": Entry(
        Severity.NOTE,
        Words(
            "Aucun dossier partagé n'est réglé.",
            _WAITS_FR,
            "Donnez l'adresse d'un serveur FHIR R4 dans CONSTANTES_RECORD__URL, si les mesures doivent y aller.",
        ),
        Words(
            "No record is set.",
            _WAITS_EN,
            "Give the address of a FHIR R4 server in CONSTANTES_RECORD__URL, if readings are to reach one.",
        ),
    ),
    "destination.unreachable": Entry(
        Severity.ERROR,
        Words("« {name} » ne répond pas.", _WAITS_FR, "Vérifiez qu'il tourne, et son adresse."),
        Words("`{name}` does not answer.", _WAITS_EN, "See that it runs, and its address."),
    ),
    "destination.no_fhir": Entry(
        Severity.ERROR,
        Words(
            "Ce qui répond pour « {name} » ({status}) n'est pas un serveur FHIR : un portail ou un relais, peut-être.",
            _WAITS_FR,
            "Donnez l'adresse de base FHIR, celle sous laquelle /metadata répond.",
        ),
        Words(
            "What answers for `{name}` ({status}) is no FHIR server: a portal or a proxy, perhaps.",
            _WAITS_EN,
            "Give the FHIR base address, below which /metadata answers.",
        ),
    ),
    "destination.not_fhir_r4": Entry(
        Severity.ERROR,
        Words("« {name} » n'est pas en FHIR R4 (4.0).", _WAITS_FR, "Donnez l'adresse d'un serveur R4."),
        Words("`{name}` is not FHIR R4 (4.0).", _WAITS_EN, "Give the address of an R4 server."),
    ),
    "destination.not_json": Entry(
        Severity.ERROR,
        Words("« {name} » ne prend pas le JSON.", _WAITS_FR, "Activez le JSON sur ce serveur."),
        Words("`{name}` does not take JSON.", _WAITS_EN, "Switch JSON on at that server."),
    ),
    "destination.client_ids": Entry(
        Severity.ERROR,
        Words(
            "« {name} » refuse les identifiants choisis par ses clients (updateCreate=false).",
            "Rien ne lui est envoyé : sans eux, une réponse perdue ferait des doublons.",
            "Autorisez-y la création par mise à jour.",
        ),
        Words(
            "`{name}` refuses ids that its clients choose (updateCreate=false).",
            "Nothing is sent to it: without them a lost answer would make duplicates.",
            "Allow update as create there.",
        ),
    ),
    "destination.client_ids_unsaid": Entry(
        Severity.NOTE,
        Words(
            "« {name} » ne dit pas s'il accepte les identifiants choisis par ses clients (updateCreate).",
            "On le tient pour permis, comme chez HAPI ; un refus serait dit et l'envoi attendrait.",
            "Rien à faire, à moins que des livraisons n'attendent : `constantes deliveries list`.",
        ),
        Words(
            "`{name}` does not say whether it takes ids that its clients choose (updateCreate).",
            "It is taken for allowed, as at HAPI; a refusal would be told, and sending would wait.",
            "Nothing to do, unless deliveries wait: `constantes deliveries list`.",
        ),
    ),
    "destination.types_not_taken": Entry(
        Severity.WARNING,
        Words(
            "« {name} » ne laisse pas mettre à jour : {types}.",
            "De telles ressources attendent ; les autres passent.",
            "Autorisez-y la mise à jour de ces types, si vos appareils en produisent.",
        ),
        Words(
            "`{name}` does not let these be updated: {types}.",
            "Such resources wait; the others pass.",
            "Allow updates of these types there, if your devices produce them.",
        ),
    ),
    "destination.one_by_one": Entry(
        Severity.NOTE,
        Words(
            "« {name} » ne prend ni lots ni transactions.",
            "Tout passe, une ressource à la fois, plus lentement.",
            "Activez-y les transactions si l'envoi ne suit pas.",
        ),
        Words(
            "`{name}` takes neither batches nor transactions.",
            "All passes, one resource at a time, more slowly.",
            "Switch transactions on there if sending falls behind.",
        ),
    ),
    "destination.no_token": Entry(
        Severity.ERROR,
        Words(
            "Le fichier du jeton pour « {name} » est vide ou illisible.",
            _WAITS_FR,
            "Mettez le jeton dans le fichier que nomme son réglage TOKEN_FILE.",
        ),
        Words(
            "The file of the token for `{name}` is empty or cannot be read.",
            _WAITS_EN,
            "Put the token into the file that its setting TOKEN_FILE names.",
        ),
    ),
    "destination.token_refused": Entry(
        Severity.ERROR,
        Words(
            "« {name} » refuse le jeton, ou son absence ({status}).",
            _WAITS_FR,
            "Mettez un jeton valable, avec les droits d'écrire, dans le fichier de son TOKEN_FILE ; il est relu.",
        ),
        Words(
            "`{name}` refuses the token, or that there is none ({status}).",
            _WAITS_EN,
            "Put a valid one that may write into the file of its TOKEN_FILE; it is read again.",
        ),
    ),
    "destination.answered": Entry(
        Severity.WARNING,
        Words(
            "« {name} » a répondu {status} à une lecture.",
            _WAITS_FR,
            "Lisez son journal ; l'envoi réessaie de lui-même.",
        ),
        Words(
            "`{name}` answered {status} to a read.",
            _WAITS_EN,
            "Read its log; sending tries again by itself.",
        ),
    ),
}
