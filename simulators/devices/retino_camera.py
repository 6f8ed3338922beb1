"""A fundus camera that plays one real photograph, and says of every picture made from it what was done to it.

Comes in: the photograph of a left eye. Goes out: `image` of a `retinography` reading, and beside it the word
`synthetic` for a picture that is not the photograph itself; the picture says the same (JPEG comment, PNG text, DICOM
Image Comments). Refuses to know: the wire, whose eye it is.

One photograph cannot show a patient: the right eye is its mirror image, the disc field a stretch cut out around the
disc, and the diabetic eye has a real detail of another one laid over it. None of these may be taken for findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from simulators.devices.contents import Content
from simulators.devices.instrument import Instrument, Make
from simulators.devices.messages import Json
from simulators.physiology.body import Body

if TYPE_CHECKING:
    from PIL.Image import Image

_RECORDINGS = Path(__file__).parent.parent / "recordings"
PHOTOGRAPH = _RECORDINGS / "fundus-left-normal.jpg"
"""A normal left eye, 1411 x 1411, centred on the macula (recordings/README.md)."""
DETAIL = _RECORDINGS / "microaneurysms.png"
"""102 x 102 grey: microaneurysms of a diabetic eye (recordings/README.md)."""

ANGLE_DEG = {"macula": 45, "disc": 14}
"""Of the photograph, as such cameras see; of the stretch cut out, in proportion to its width."""
_DISC_BOX = (2, 439, 450, 887)
"""Left, top, right, bottom of what shows the disc, which is at (226, 663) of `PHOTOGRAPH`, in the middle."""
_DETAIL_AT = (850, 480)
_DARKENS = (0.3, 1.0, 1.0)
"""Powers for red, green, blue: the detail is of the green channel; blood takes green away, and hardly any red."""
_QUALITY = 92
FORMATS = {"jpeg": "image/jpeg", "png": "image/png", "dicom": "application/dicom"}


@dataclass(frozen=True, slots=True)
class View:
    """One picture to take: `eye` and `field` are the contract's words (C-RET-1)."""

    eye: str = "left"
    field: str = "macula"
    diabetic: bool = False

    @property
    def made_by(self) -> tuple[str, ...]:
        """What is done to the photograph; nothing for the photograph itself."""
        steps = {
            "microaneurysms": self.diabetic,
            "cropped": self.field == "disc",
            "mirrored": self.eye == "right",
        }
        return tuple(step for step, done in steps.items() if done)


SCREENING = (View("left", "macula"), View("left", "disc"), View("right", "macula"), View("right", "disc"))
"""Each eye with a macula and a disc field (C-RET-5)."""
DIABETIC = tuple(View(view.eye, view.field, diabetic=True) for view in SCREENING)


class Camera:
    """Takes one view after the other, over and over, in one file format."""

    def __init__(self, views: Sequence[View] = SCREENING, file_format: str = "jpeg") -> None:
        if file_format not in FORMATS:
            raise ValueError(f"The camera writes one of these: {', '.join(FORMATS)}.")
        self._views, self._format = tuple(views), file_format
        self._taken = 0

    def measure(self, at: datetime) -> Mapping[str, Json]:
        """The next view, taken at `at`."""
        view = self._views[self._taken % len(self._views)]
        self._taken += 1
        image: dict[str, Json] = {"blob": Content(picture(view, self._format, at), FORMATS[self._format])}
        # A DICOM file says the eye and the field itself (C-RET-1).
        if self._format != "dicom":
            image |= {"eye": view.eye, "field": view.field, "angle_deg": ANGLE_DEG[view.field], "pupil": "natural"}
        return {"image": image, "synthetic": ", ".join(view.made_by)} if view.made_by else {"image": image}


def picture(view: View, file_format: str, at: datetime) -> bytes:
    """The file of a view; the photograph's own bytes where nothing was done to it."""
    steps = view.made_by
    untouched = not steps and file_format != "png"
    jpeg = PHOTOGRAPH.read_bytes() if untouched else b""
    if file_format == "png":
        return _written(_drawn(steps), "PNG", steps)
    jpeg = jpeg or _written(_drawn(steps), "JPEG", steps)
    if file_format == "jpeg":
        return jpeg
    from simulators.devices.retino_dicom import dicom

    return dicom(jpeg, (view.eye, view.field, ANGLE_DEG[view.field]), at, comment=_comment(steps))


def noise(seed: int, size: int = 20_000_000) -> bytes:
    """A PNG of about `size` bytes that no eye ever saw: seeded noise, which nothing compresses."""
    import numpy as np
    from PIL import Image

    side = round((size / 3) ** 0.5)
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return _written(Image.fromarray(pixels), "PNG", ("noise",))


class NoiseCamera:
    """A camera whose pictures are noise of a given size in bytes, for trials of large contents."""

    def __init__(self, seed: int, size: int = 20_000_000) -> None:
        self._seed, self._size = seed, size
        self._taken = 0

    def measure(self, at: datetime) -> Mapping[str, Json]:  # noqa: ARG002 - noise is the same at any time
        """Another picture each time."""
        self._taken += 1
        blob = Content(noise(self._seed + self._taken, self._size), "image/png")
        return {"image": {"blob": blob, "eye": "left", "field": "other"}, "synthetic": "noise", "flags": ["test"]}


def _drawn(steps: Sequence[str]) -> Image:
    from PIL import Image, ImageOps

    with Image.open(PHOTOGRAPH) as photograph:
        drawn = photograph.convert("RGB")
    if "microaneurysms" in steps:
        _lay_over(drawn)
    if "cropped" in steps:
        drawn = drawn.crop(_DISC_BOX)
    if "mirrored" in steps:
        drawn = ImageOps.mirror(drawn)
    return drawn


def _lay_over(drawn: Image) -> None:
    """Darken by the detail, as dark as it is against its own brightest part, fading out towards its edge."""
    import numpy as np
    from PIL import Image, ImageFilter

    with Image.open(DETAIL) as detail:
        grey = np.asarray(detail.convert("L"), dtype=np.float64)
    height, width = grey.shape
    left, top = _DETAIL_AT
    box = (left, top, left + width, top + height)
    ground = np.asarray(drawn.crop(box), dtype=np.float64)
    share = np.clip(grey / np.percentile(grey, 75), 0.2, 1.0)[..., None]
    dark = ground * share ** np.array(_DARKENS)
    mask = Image.new("L", (width, height), 0)
    mask.paste(255, (12, 12, width - 12, height - 12))
    drawn.paste(Image.fromarray(dark.astype(np.uint8)), box[:2], mask.filter(ImageFilter.GaussianBlur(6)))


def _written(drawn: Image, file_format: str, steps: Sequence[str]) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    written, said = BytesIO(), _comment(steps)
    if file_format == "PNG":
        text = PngInfo()
        if said:
            text.add_text("Comment", said)
        drawn.save(written, "PNG", pnginfo=text, compress_level=1)
    else:
        drawn.save(written, "JPEG", quality=_QUALITY, comment=said.encode())
    return written.getvalue()


def _comment(steps: Sequence[str]) -> str:
    return f"SYNTHETIC: {', '.join(steps)}; made from a photograph, not one as taken" if steps else ""


def build(seed: int = 0, body: Body | None = None, *, file_format: str = "jpeg", diabetic: bool = False) -> Instrument:
    """A camera that takes `SCREENING` or `DIABETIC`, the same picture whatever the seed and the body."""
    del seed, body
    return Camera(DIABETIC if diabetic else SCREENING, file_format)


INSTRUMENT = Make(
    kind="retinography", build=build, manufacturer="Exemple", model="Retina-45", firmware="2.0.0", per_visit=4
)
