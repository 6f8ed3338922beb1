"""A synthetic ECG of twelve leads at a heart rate that is given. Pure: seed, rate and length in, samples out.

McSharry, Clifford, Tarassenko, Smith, "A dynamical model for generating synthetic electrocardiogram signals", IEEE
Transactions on Biomedical Engineering 50(3):289-294, 2003: a point runs round the unit circle once a beat; each wave
(P, Q, R, S, T) is a Gaussian of its angle that pulls the third coordinate z up or down (equation 1, table I). Begun on
the circle the point stays there, so its angle alone is followed. The beat's length wanders as the paper's section III
says: two Gaussian bands, 0.1 Hz (pressure) and 0.25 Hz (breathing).

Twelve leads, simpler than a torso: z becomes three coordinates (X left, Y down, Z back) that share the angle, each wave
pulling in a direction of its own, chosen here so that the waves have their usual sense in every lead. Leads I, II and
V1-V6 follow by Dower's matrix (Dower, Machado, Osborne, Clinical Cardiology 3:87-95, 1980), the other limb leads by
Einthoven's and Goldberger's sums. Nobody's heart, and no diagnosis may be read in it.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

STEP_UV = 1
"""Microvolts a sample step."""


class _Wave(NamedTuple):
    """Table I: angle in degrees, height, width in radians; and the direction it pulls in (X, Y, Z)."""

    angle: float
    height: float
    width: float
    way: tuple[float, float, float]


_WAVES = (
    _Wave(-70, 1.2, 0.25, (0.60, 0.75, -0.10)),
    _Wave(-15, -5.0, 0.1, (0.55, 0.40, 0.75)),
    _Wave(0, 30.0, 0.1, (0.80, 0.45, 0.25)),
    _Wave(15, -7.5, 0.1, (0.35, 0.20, -0.70)),
    _Wave(100, 0.75, 0.4, (0.75, 0.55, -0.45)),
)
_DOWER = {
    "I": (0.632, -0.235, 0.059),
    "II": (0.235, 1.066, -0.132),
    "V1": (-0.515, 0.157, -0.917),
    "V2": (0.044, 0.164, -1.387),
    "V3": (0.882, 0.098, -1.277),
    "V4": (1.213, 0.127, -0.601),
    "V5": (1.125, 0.127, -0.086),
    "V6": (0.831, 0.076, 0.230),
}
_SUMS = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}
"""Of leads I and II."""
_ORDER = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_BANDS_HZ, _BAND_WIDTH_HZ, _LF_HF = (0.1, 0.25), 0.01, 0.5
_RATE_SPREAD = 1.0  # standard deviation of the rate in /min, as in the paper
_RELAXES_S = 1.0  # z falls back with this time constant: equation 1 has no other
_R_UV = 1000.0  # the highest point of lead II
_NOISE_UV = 5.0


def twelve_leads(rate: float, seconds: float, seed: int, sampling_hz: int = 500) -> dict[str, np.ndarray[Any, Any]]:
    """int16 samples of `STEP_UV` a lead; `rate` in /min is the mean over the recording, exactly."""
    import numpy as np

    chance = np.random.default_rng(seed)
    angle = _angle(chance, rate, round(seconds * sampling_hz), sampling_hz)
    inside = _coordinates(angle, rate, sampling_hz)
    leads = {name: inside @ np.array(weights) for name, weights in _DOWER.items()}
    leads |= {name: of_one * leads["I"] + of_two * leads["II"] for name, (of_one, of_two) in _SUMS.items()}
    scale = _R_UV / leads["II"].max()
    return {
        name: np.rint((leads[name] * scale + chance.normal(0, _NOISE_UV, angle.size)) / STEP_UV).astype("<i2")
        for name in _ORDER
    }


def _angle(chance: np.random.Generator, rate: float, length: int, sampling_hz: int) -> Array:
    """The angle at each sample, in radians: `rate` turns a minute on the average, wandering in the two bands."""
    import numpy as np

    hz = np.fft.rfftfreq(length, 1 / sampling_hz)
    low, high = (np.exp(-(((hz - band) / _BAND_WIDTH_HZ) ** 2) / 2) for band in _BANDS_HZ)
    spectrum = np.sqrt(_LF_HF * low + high) * np.exp(1j * chance.uniform(0, 2 * np.pi, hz.size))
    spectrum[0] = 0
    wander = np.fft.irfft(spectrum, length)
    wander *= _RATE_SPREAD / max(float(wander.std()), 1e-9)
    wander -= wander.mean()
    return chance.uniform(-np.pi, np.pi) + np.cumsum(rate + wander) * (2 * np.pi / 60 / sampling_hz)


def _coordinates(angle: Array, rate: float, sampling_hz: int) -> Array:
    """Equation 1 for three z that share the angle: (samples, 3). Waves keep their seconds as the root of the rate."""
    import numpy as np

    stretch = (rate / 60) ** 0.5
    pull = np.zeros((angle.size, 3))
    turn = rate / 60 * 2 * np.pi
    for wave in _WAVES:
        away = np.remainder(angle - np.radians(wave.angle) * stretch + np.pi, 2 * np.pi) - np.pi
        width = wave.width * stretch
        push = -wave.height * turn * away * np.exp(-(away**2) / (2 * width**2))
        pull += push[:, None] * np.array(wave.way)
    keeps = 1 - 1 / (_RELAXES_S * sampling_hz)
    columns = [list(accumulate((column / sampling_hz).tolist(), lambda z, step: z * keeps + step)) for column in pull.T]
    inside = np.array(columns).T
    return np.asarray(inside - np.median(inside, axis=0))
