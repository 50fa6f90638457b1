"""Who is in the films: eight puppets with fixed looks, and a way to invent more.

Lengths and widths are fractions of the picture's height; colours are RGB in [0, 1].
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import torch

from vidgen_lite.data.scenes import Colour

HAIR_STYLES = ("short", "long", "bun", "curls", "cap", "beanie", "crest", "bald")
LEG_STYLES = ("trousers", "shorts", "dress")


@dataclass(frozen=True)
class Puppet:
    """The fixed look of one character.

    Attributes:
        shirt, trousers, shoes, skin, hair: colours (``hair`` is also the colour of a cap).
        hair_style: one of ``HAIR_STYLES``. legs: one of ``LEG_STYLES``.
        head: radius of the head. torso: pelvis to neck. leg, arm: length of the whole limb,
        without shoe or hand. shoulders, hips: half widths. girth: 1 is average, more is stouter.
        sleeves: whether the forearm is covered.
    """

    name: str
    shirt: Colour
    trousers: Colour
    shoes: Colour
    skin: Colour
    hair: Colour
    hair_style: str = "short"
    legs: str = "trousers"
    sleeves: bool = False
    head: float = 0.115
    torso: float = 0.20
    leg: float = 0.275
    arm: float = 0.205
    shoulders: float = 0.085
    hips: float = 0.045
    girth: float = 1.0

    @property
    def crown(self) -> float:
        """Height of the hair or hat above the centre of the head."""
        above = {"bun": 1.58, "curls": 1.5, "beanie": 1.45, "crest": 1.3}
        return above.get(self.hair_style, 1.1) * self.head

    @property
    def lengths(self) -> dict[str, float]:
        """Bone lengths, by the names of ``motion.BONES``."""
        lengths = {"spine": self.torso, "head": self.head + 0.012, "face": self.head}
        for side in "rl":
            lengths[f"{side}_collar"] = self.shoulders
            lengths[f"{side}_arm"] = 0.52 * self.arm
            lengths[f"{side}_forearm"] = 0.48 * self.arm
            lengths[f"{side}_hip"] = self.hips
            lengths[f"{side}_thigh"] = 0.51 * self.leg
            lengths[f"{side}_shin"] = 0.49 * self.leg
            lengths[f"{side}_foot"] = 0.05
        return lengths


_PALE, _FAIR, _TAN, _BROWN, _DARK = (
    (0.98, 0.84, 0.74),
    (0.95, 0.77, 0.62),
    (0.85, 0.62, 0.44),
    (0.62, 0.41, 0.27),
    (0.45, 0.29, 0.20),
)

CAST = (
    Puppet(
        "Ruby",
        (0.87, 0.16, 0.20),
        (0.16, 0.27, 0.58),
        (0.98, 0.95, 0.90),
        _FAIR,
        (0.30, 0.17, 0.10),
        hair_style="long",
    ),
    Puppet(
        "Olu",
        (0.98, 0.80, 0.12),
        (0.16, 0.36, 0.42),
        (0.85, 0.20, 0.16),
        _DARK,
        (0.09, 0.07, 0.08),
        hair_style="curls",
        legs="shorts",
        head=0.112,
        leg=0.285,
    ),
    Puppet(
        "Finn",
        (0.12, 0.40, 0.85),
        (0.72, 0.45, 0.22),
        (0.20, 0.16, 0.20),
        _PALE,
        (0.93, 0.46, 0.12),
        hair_style="crest",
        sleeves=True,
        torso=0.21,
    ),
    Puppet(
        "Mina",
        (0.93, 0.28, 0.60),
        (0.93, 0.28, 0.60),
        (0.40, 0.12, 0.35),
        _TAN,
        (0.12, 0.09, 0.12),
        hair_style="bun",
        legs="dress",
        girth=0.92,
    ),
    Puppet(
        "Bruno",
        (0.96, 0.50, 0.10),
        (0.30, 0.22, 0.50),
        (0.18, 0.14, 0.16),
        _TAN,
        (0.10, 0.45, 0.36),
        hair_style="beanie",
        sleeves=True,
        girth=1.22,
        shoulders=0.092,
        leg=0.25,
        torso=0.205,
        hips=0.052,
    ),
    Puppet(
        "Ada",
        (0.55, 0.27, 0.78),
        (0.96, 0.84, 0.36),
        (0.30, 0.18, 0.45),
        _BROWN,
        (0.20, 0.11, 0.09),
        hair_style="bun",
        legs="shorts",
        head=0.118,
        leg=0.262,
    ),
    Puppet(
        "Leo",
        (0.95, 0.95, 0.93),
        (0.80, 0.18, 0.22),
        (0.16, 0.18, 0.30),
        _FAIR,
        (0.14, 0.32, 0.76),
        hair_style="cap",
        leg=0.282,
        girth=0.95,
    ),
    Puppet(
        "Nour",
        (0.05, 0.62, 0.58),
        (0.05, 0.62, 0.58),
        (0.95, 0.80, 0.20),
        _PALE,
        (0.97, 0.80, 0.36),
        hair_style="long",
        legs="dress",
        sleeves=True,
        head=0.118,
    ),
)


def random_puppet(generator: torch.Generator) -> Puppet:
    """Invent a puppet: colours, build and hair, all from ``generator``."""
    draw = torch.rand(16, generator=generator).tolist()

    def vivid(hue: float, value: float) -> Colour:
        return colorsys.hsv_to_rgb(hue, 0.66 + 0.2 * draw[1], value)

    def between(low: float, high: float, at: int) -> float:
        return low + (high - low) * draw[at]

    skins = (_PALE, _FAIR, _TAN, _BROWN, _DARK)
    hairs = (
        (0.09, 0.07, 0.08),
        (0.30, 0.17, 0.10),
        (0.55, 0.33, 0.15),
        (0.93, 0.76, 0.36),
        (0.85, 0.38, 0.12),
        (0.35, 0.35, 0.40),
    )
    style = HAIR_STYLES[int(draw[5] * len(HAIR_STYLES))]
    hat = style in ("cap", "beanie")
    legs = LEG_STYLES[int(draw[6] * len(LEG_STYLES))]
    shirt = vivid(draw[0], 0.86)
    trousers = shirt if legs == "dress" else vivid((draw[0] + between(0.3, 0.7, 2)) % 1, 0.55)
    return Puppet(
        name="puppet",
        shirt=shirt,
        trousers=trousers,
        shoes=vivid(draw[3], 0.30 + 0.6 * draw[7]),
        skin=skins[int(draw[4] * len(skins))],
        hair=vivid(draw[8], 0.7) if hat else hairs[int(draw[8] * len(hairs))],
        hair_style=style,
        legs=legs,
        sleeves=draw[9] < 0.5,
        head=between(0.105, 0.122, 10),
        torso=between(0.19, 0.215, 11),
        leg=between(0.25, 0.285, 12),
        arm=between(0.19, 0.215, 13),
        girth=between(0.9, 1.2, 14),
        shoulders=between(0.08, 0.094, 15),
    )
