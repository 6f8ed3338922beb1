"""Of the broker's configuration."""

from __future__ import annotations

from app.doctor.finding import Entry, Severity
from registry.words import Words

_KEPT_FR = "Un appareil qui garde chaque mesure jusqu'à son accusé ne perd rien."
_KEPT_EN = "A device that keeps each reading until its receipt loses nothing."
_CONF = "deploy/mosquitto/constantes.conf"

ENTRIES: dict[str, Entry] = {
    "broker.not_persistent": Entry(
        Severity.ERROR,
        Words(
            "Le courtier ne garde rien sur disque (`persistence` dans {file}) : son arrêt perd tout ce qui attend.",
            _KEPT_FR,
            "Mettez `persistence true` et redémarrez-le.",
        ),
        Words(
            "The broker keeps nothing on disk (`persistence` in {file}): its end loses all that waits.",
            _KEPT_EN,
            "Set `persistence true` and start it again.",
        ),
    ),
    "broker.saves_seldom": Entry(
        Severity.WARNING,
        Words(
            "Le courtier n'écrit sur disque que toutes les {seconds} s (`autosave_interval` dans {file}).",
            _KEPT_FR + " Les autres perdent ce qui est venu depuis.",
            "Mettez `autosave_interval 5`.",
        ),
        Words(
            "The broker writes to disk only every {seconds} s (`autosave_interval` in {file}).",
            _KEPT_EN + " Others lose what came since.",
            "Set `autosave_interval 5`.",
        ),
    ),
    "broker.persistence_unseen": Entry(
        Severity.NOTE,
        Words(
            "D'ici, on ne voit pas si le courtier garde sur disque ce qui attend.",
            _KEPT_FR,
            f"Vérifiez `persistence true` et `autosave_interval 5` dans sa configuration ({_CONF}).",
        ),
        Words(
            "From here it cannot be seen whether the broker keeps what waits on disk.",
            _KEPT_EN,
            f"See that its configuration has `persistence true` and `autosave_interval 5` ({_CONF}).",
        ),
    ),
}
