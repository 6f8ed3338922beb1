"""Of the settings."""

from __future__ import annotations

from app.doctor.finding import Entry, Severity
from registry.words import Words

_OVERHEARD_FR = "Rien n'est perdu, mais d'autres sur le réseau peuvent lire."
_OVERHEARD_EN = "Nothing is lost, but others on the network can read along."
_READ_FR = "Rien n'est perdu ; qui lit ce secret peut se faire passer pour l'installation."
_READ_EN = "Nothing is lost; who reads that secret can pass for the installation."

ENTRIES: dict[str, Entry] = {
    "settings.wrong": Entry(
        Severity.ERROR,
        Words(
            "Le réglage {name} ne va pas : {problem}.",
            "Rien ne démarre ainsi et rien d'autre n'a été examiné.",
            "Corrigez-le dans l'environnement ou dans .env, puis refaites l'examen.",
        ),
        Words(
            "The setting {name} is wrong: it {problem}.",
            "Nothing starts like this, and nothing else was looked at.",
            "Correct it in the environment or in .env, then ask again.",
        ),
    ),
    "settings.http_open": Entry(
        Severity.WARNING,
        Words(
            "{name} ouvre l'API au réseau, sans TLS devant : jetons et mesures y passent en clair.",
            _OVERHEARD_FR,
            "Mettez un serveur HTTPS devant et son adresse dans CONSTANTES_HTTP__PUBLIC_URL, ou restez sur 127.0.0.1.",
        ),
        Words(
            "{name} opens the API to the network without TLS before it: tokens and readings cross it in the clear.",
            _OVERHEARD_EN,
            "Put an HTTPS server before it and its address into CONSTANTES_HTTP__PUBLIC_URL, or stay on 127.0.0.1.",
        ),
    ),
    "settings.mqtt_clear": Entry(
        Severity.ERROR,
        Words(
            "{name} mène au courtier sans TLS à travers un réseau : secrets et mesures y passent en clair.",
            _OVERHEARD_FR,
            "Donnez au courtier un certificat et utilisez une adresse mqtts://.",
        ),
        Words(
            "{name} leads to the broker without TLS across a network: secrets and readings cross it in the clear.",
            _OVERHEARD_EN,
            "Give the broker a certificate and use an mqtts:// address.",
        ),
    ),
    "settings.clear": Entry(
        Severity.WARNING,
        Words(
            "{name} mène à une autre machine sans TLS : des données y passent en clair.",
            _OVERHEARD_FR,
            "Utilisez https:// (PostgreSQL : `?sslmode=verify-full`), à moins que ce réseau ne soit à vous seul.",
        ),
        Words(
            "{name} leads to another machine without TLS: data cross the network in the clear.",
            _OVERHEARD_EN,
            "Use https:// (PostgreSQL: `?sslmode=verify-full`), unless that network is yours alone.",
        ),
    ),
    "settings.secret_unreadable": Entry(
        Severity.ERROR,
        Words(
            "Le fichier que nomme {name} ne peut pas être lu par ce compte.",
            "Rien ne démarre sans lui.",
            "Créez-le, avec le secret seul, lisible par ce compte seul (0600).",
        ),
        Words(
            "The file that {name} names cannot be read by this user.",
            "Nothing starts without it.",
            "Make it, with the secret alone in it, readable by this user alone (0600).",
        ),
    ),
    "settings.secret_open": Entry(
        Severity.ERROR,
        Words(
            "Tout le monde sur cette machine peut lire le secret que nomme {name} ({mode}).",
            _READ_FR,
            "`chmod 0600` sur ce fichier, puis changez le secret.",
        ),
        Words(
            "Everybody on this machine can read the secret that {name} names ({mode}).",
            _READ_EN,
            "`chmod 0600` that file, then replace the secret.",
        ),
    ),
    "settings.secret_group": Entry(
        Severity.WARNING,
        Words(
            "Le groupe peut lire le secret que nomme {name} ({mode}).",
            _READ_FR,
            "`chmod 0600` sur ce fichier, à moins que ce groupe n'ait que l'installation.",
        ),
        Words(
            "The group can read the secret that {name} names ({mode}).",
            _READ_EN,
            "`chmod 0600` that file, unless nobody but the installation is in that group.",
        ),
    ),
    "settings.example_oid": Entry(
        Severity.ERROR,
        Words(
            "CONSTANTES_DEPLOYMENT__OID est encore la racine d'exemple, en production.",
            "Les mesures sont gardées, sous des identifiants qui ne sont pas les vôtres.",
            "Donnez l'OID de votre organisation.",
        ),
        Words(
            "CONSTANTES_DEPLOYMENT__OID is still the example root, in production.",
            "Readings are kept, under identifiers that are not yours.",
            "Give the OID of your own organisation.",
        ),
    ),
    "settings.authority_unreadable": Entry(
        Severity.ERROR,
        Words(
            "Le certificat de l'autorité pour {name} ne peut pas être lu.",
            "Rien ne passe sans lui.",
            "Vérifiez CONSTANTES_MQTT__CA_FILE : un fichier PEM lisible par ce compte.",
        ),
        Words(
            "The authority's certificate for {name} cannot be read.",
            "Nothing passes without it.",
            "See CONSTANTES_MQTT__CA_FILE: a PEM file that this user can read.",
        ),
    ),
    "settings.certificate_refused": Entry(
        Severity.ERROR,
        Words(
            "Le certificat du serveur de {name} est refusé ({why}).",
            "Rien ne lui est dit ; tout attend.",
            "Renouvelez-le, corrigez l'adresse, ou nommez l'autorité qui l'a signé.",
        ),
        Words(
            "The certificate of the server of {name} is refused ({why}).",
            "Nothing is said to it; everything waits.",
            "Renew it, correct the address, or name the authority that signed it.",
        ),
    ),
    "settings.certificate_soon": Entry(
        Severity.WARNING,
        Words(
            "Un certificat de {name} expire dans {days} jours.",
            "Tout passe jusque-là.",
            "Renouvelez-le avant.",
        ),
        Words("A certificate of {name} runs out in {days} days.", "All passes until then.", "Renew it before."),
    ),
    "settings.certificate_over": Entry(
        Severity.ERROR,
        Words(
            "Un certificat de {name} a expiré ({days} jours).",
            "Rien ne passe ; tout attend.",
            "Renouvelez-le.",
        ),
        Words("A certificate of {name} has run out ({days} days).", "Nothing passes; everything waits.", "Renew it."),
    ),
}
