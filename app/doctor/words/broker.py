"""Of the broker."""

from __future__ import annotations

from app.doctor.finding import Entry, Severity
from registry.words import Words

_KEPT_FR = "Un appareil qui garde chaque mesure jusqu'à son accusé ne perd rien."
_KEPT_EN = "A device that keeps each reading until its receipt loses nothing."
_CONF = "deploy/mosquitto/constantes.conf"

ENTRIES: dict[str, Entry] = {
    "broker.not_running": Entry(
        Severity.NOTE,
        Words(
            "Le courtier intégré ne tourne pas : personne n'écoute sur le port {port}.",
            _KEPT_FR,
            "Lancez `constantes up`, puis refaites l'examen.",
        ),
        Words(
            "The embedded broker does not run: nobody listens on port {port}.",
            _KEPT_EN,
            "Start `constantes up`, then ask again.",
        ),
    ),
    "broker.unreachable": Entry(
        Severity.ERROR,
        Words(
            "Le courtier ne répond pas sur le port {port}.",
            _KEPT_FR,
            "Vérifiez qu'il tourne, et l'adresse CONSTANTES_MQTT__URL.",
        ),
        Words(
            "The broker does not answer on port {port}.",
            _KEPT_EN,
            "See that it runs, and the address in CONSTANTES_MQTT__URL.",
        ),
    ),
    "broker.anonymous": Entry(
        Severity.ERROR,
        Words(
            "Le courtier laisse entrer n'importe qui, sans compte.",
            "Ce qui est déjà enregistré n'est pas touché, mais une fausse mesure peut entrer.",
            f"Mettez `allow_anonymous false` et les comptes de l'installation : {_CONF}.",
        ),
        Words(
            "The broker lets anybody in, without an account.",
            "What is kept is not touched, but a false reading can come in.",
            f"Set `allow_anonymous false` and use the accounts of the installation: {_CONF}.",
        ),
    ),
    "broker.no_account": Entry(
        Severity.WARNING,
        Words(
            "Le courtier n'a pas pu être essayé : l'examen ne peut pas s'y faire un compte.",
            "Rien n'a été changé.",
            "Réglez CONSTANTES_MQTT__RELOAD_COMMAND ou CONSTANTES_MQTT__RELOADS_ITSELF, et lancez l'examen sous le"
            " compte de l'installation.",
        ),
        Words(
            "The broker could not be tried: the doctor cannot make itself an account there.",
            "Nothing was changed.",
            "Set CONSTANTES_MQTT__RELOAD_COMMAND or CONSTANTES_MQTT__RELOADS_ITSELF, and run it as the installation's"
            " user.",
        ),
    ),
    "broker.reload_not_seen": Entry(
        Severity.WARNING,
        Words(
            "Le courtier n'a pas relu ses comptes ; il n'a pas pu être essayé.",
            "Les appareils admis continuent ; un appareil ajouté maintenant ne pourrait pas entrer.",
            "Essayez la commande CONSTANTES_MQTT__RELOAD_COMMAND à la main et lisez le journal du courtier.",
        ),
        Words(
            "The broker did not read its accounts again; it could not be tried.",
            "Devices that are let in go on; one that is added now could not come in.",
            "Try the command CONSTANTES_MQTT__RELOAD_COMMAND by hand, and read the broker's log.",
        ),
    ),
    "broker.interrupted": Entry(
        Severity.WARNING,
        Words(
            "L'essai du courtier s'est interrompu : il n'a pas répondu, ou ses comptes ont changé entre-temps.",
            "Les comptes et les messages de l'essai ont été retirés.",
            "Refaites l'examen ; si cela se répète, lisez le journal du courtier.",
        ),
        Words(
            "Trying the broker was interrupted: it did not answer, or its accounts changed meanwhile.",
            "The accounts and messages of the trial were taken away.",
            "Ask again; if it happens again, read the broker's log.",
        ),
    ),
    "broker.session_lost": Entry(
        Severity.ERROR,
        Words(
            "Le courtier oublie la session d'un client absent : ce qui arrive sans la passerelle est perdu.",
            _KEPT_FR,
            "Autorisez les sessions durables (Mosquitto : pas de `persistent_client_expiration` trop court).",
        ),
        Words(
            "The broker forgets the session of a client that is away: what comes while the gateway is away is lost.",
            _KEPT_EN,
            "Allow lasting sessions (Mosquitto: no `persistent_client_expiration` that is too short).",
        ),
    ),
    "broker.queue_short": Entry(
        Severity.ERROR,
        Words(
            "De {sent} messages acquittés pour un client absent, le courtier n'en a gardé que {kept}.",
            _KEPT_FR + " Un appareil qui se fie au courtier perd le reste.",
            f"Mosquitto : mettez `max_queued_messages 100000000`, comme {_CONF}.",
        ),
        Words(
            "Of {sent} messages that it acknowledged for a client that is away, the broker kept {kept} only.",
            _KEPT_EN + " One that trusts the broker loses the others.",
            f"Mosquitto: set `max_queued_messages 100000000`, as {_CONF} does.",
        ),
    ),
    "broker.window_small": Entry(
        Severity.WARNING,
        Words(
            "Le courtier ne laisse que {window} messages sans acquittement ; un lot de la passerelle en a {batch}.",
            "Rien n'est perdu ; tout devient lent, et quelques messages difficiles arrêtent les autres.",
            f"Mosquitto : mettez `max_inflight_messages 4096`, comme {_CONF}.",
        ),
        Words(
            "The broker leaves {window} messages unacknowledged at a time; the gateway keeps batches of {batch}.",
            "Nothing is lost; all gets slow, and a few difficult messages hold up the others.",
            f"Mosquitto: set `max_inflight_messages 4096`, as {_CONF} does.",
        ),
    ),
    "broker.too_small": Entry(
        Severity.ERROR,
        Words(
            "Le courtier refuse un message de {bytes} octets, que le contrat permet.",
            "L'appareil garde sa mesure, mais ne peut pas la remettre.",
            "Mosquitto : mettez `max_packet_size 8388608`.",
        ),
        Words(
            "The broker refuses a message of {bytes} bytes, which the contract allows.",
            "The device keeps its reading, but cannot deliver it.",
            "Mosquitto: set `max_packet_size 8388608`.",
        ),
    ),
    "broker.rights_open": Entry(
        Severity.ERROR,
        Words(
            "Un compte peut publier hors de ses droits.",
            "Ce qui est déjà enregistré n'est pas touché, mais un appareil peut parler au nom d'un autre.",
            f"Faites lire au courtier le fichier `acl` de l'installation : {_CONF}.",
        ),
        Words(
            "An account can publish outside of its rights.",
            "What is kept is not touched, but a device can speak for another.",
            f"Have the broker read the installation's `acl`: {_CONF}.",
        ),
    ),
    "broker.denied_acknowledged": Entry(
        Severity.NOTE,
        Words(
            "Le courtier acquitte une publication qu'il refuse, comme tous ceux qui parlent MQTT 3.1.1.",
            _KEPT_FR,
            "Rien à faire ici : que les appareils se fient à l'accusé de l'installation, jamais à celui du courtier.",
        ),
        Words(
            "The broker acknowledges a publish that it refuses, as those do that speak MQTT 3.1.1.",
            _KEPT_EN,
            "Nothing to do here: devices must trust the installation's receipt, never the broker's acknowledgement.",
        ),
    ),
    "broker.takeover": Entry(
        Severity.WARNING,
        Words(
            "Un compte peut prendre la session d'un autre en se connectant sous son identifiant de client.",
            "L'identifiant de la passerelle est aléatoire et secret : qui ne le connaît pas ne peut rien effacer.",
            "Mosquitto : mettez `use_username_as_clientid true`.",
        ),
        Words(
            "An account can take the session of another by connecting under its client id.",
            "The gateway's client id is random and secret: who does not know it can delete nothing.",
            "Mosquitto: set `use_username_as_clientid true`.",
        ),
    ),
    "broker.takeover_ours": Entry(
        Severity.NOTE,
        Words(
            "Au courtier intégré, un compte peut prendre la session d'un autre s'il connaît son identifiant de client.",
            "Celui de la passerelle est aléatoire et secret ; un appareil évincé se reconnecte et ne perd rien.",
            "Rien à faire : gardez le dossier de données privé.",
        ),
        Words(
            "At the embedded broker an account can take the session of another whose client id it knows.",
            "The gateway's is random and secret; a device that is thrown out connects again and loses nothing.",
            "Nothing to do: keep the data folder private.",
        ),
    ),
    "broker.retains": Entry(
        Severity.WARNING,
        Words(
            "Le courtier conserve les messages marqués « retained » et les redonne à chaque abonnement.",
            "La passerelle les reconnaît et les met de côté : une ancienne mesure ne paraît pas nouvelle.",
            "Mosquitto : mettez `retain_available false`.",
        ),
        Words(
            "The broker keeps messages that are marked retained, and gives them again at each subscription.",
            "The gateway recognises them and sets them aside: an old reading does not look new.",
            "Mosquitto: set `retain_available false`.",
        ),
    ),
    "broker.retains_ours": Entry(
        Severity.NOTE,
        Words(
            "Le courtier intégré conserve les messages marqués « retained » ; cela ne se règle pas.",
            "La passerelle les reconnaît et les met de côté.",
            "Rien à faire ici ; un appareil ne doit pas marquer ses mesures ainsi.",
        ),
        Words(
            "The embedded broker keeps messages that are marked retained; that cannot be set.",
            "The gateway recognises them and sets them aside.",
            "Nothing to do here; a device must not mark its readings so.",
        ),
    ),
}
