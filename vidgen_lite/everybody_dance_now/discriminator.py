"""Who judges the frames: patch discriminators, several of them, each at half the last one's size.

Each sees two poses and two frames, so that it also judges the motion between them.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite.checks import expect_choice, expect_positive, expect_shape
from vidgen_lite.layers import InstanceNorm

NORMS = ("instance", "batch")
LEVELS = 4  # convolutions before the one that scores


class PatchDiscriminator(nn.Module):
    """A score for every patch of 70x70 pixels (authors' code, ``NLayerDiscriminator``).

    Args:
        c_in: channels that come in.
        width: channels of the first level; 64 is the published number.
        norm: of the second to fourth level: ``instance`` without weights, or ``batch`` with them.

    Raises:
        ValueError: an unknown norm, or a count below 1.
    """

    def __init__(self, *, c_in: int, width: int = 64, norm: str = "instance") -> None:
        super().__init__()
        expect_positive("c_in", c_in)
        expect_positive("width", width)
        expect_choice("norm", norm, NORMS)
        make = InstanceNorm if norm == "instance" else nn.BatchNorm2d
        channels = [c_in, *(width * 2**i for i in range(LEVELS))]
        self.levels = nn.ModuleList()
        for i, (narrow, wide) in enumerate(itertools.pairwise(channels)):
            level: list[nn.Module] = [nn.Conv2d(narrow, wide, 4, 2 if i < LEVELS - 1 else 1, 2)]
            if i > 0:
                level.append(make(wide))
            self.levels.append(nn.Sequential(*level, nn.LeakyReLU(0.2)))
        self.levels.append(nn.Conv2d(channels[-1], 1, 4, 1, 2))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Judge pictures (B, c_in, H, W).

        Returns:
            Five maps: the features of four levels and, last, the scores (B, 1, h, w): logits if
            the log loss is used, plain numbers with targets 0 and 1 under least squares.
        """
        maps = []
        for level in self.levels:
            pictures = level(pictures)
            maps.append(pictures)
        return maps


class MultiscaleDiscriminator(nn.Module):
    """D = (D_1, D_2, D_3): the same kind of network at full, half and quarter size.

    Args:
        width: channels of each one's first level; 64 is the published number.
        scales: how many; 3 in the paper (its code's first stage has 2).
        frames: how many frames are judged together: 2 as published, or 1 (FBF).

    Raises:
        ValueError: a count below 1.
    """

    def __init__(self, *, width: int = 64, scales: int = 3, frames: int = 2) -> None:
        super().__init__()
        expect_positive("scales", scales)
        expect_positive("frames", frames)
        self.frames = frames
        self.scales = nn.ModuleList(
            PatchDiscriminator(c_in=6 * frames, width=width) for _ in range(scales)
        )

    def forward(self, skeletons: Tensor, video: Tensor) -> list[list[Tensor]]:
        """Judge frames with their stick figures: D(x_t, x_{t+1}, y_t, y_{t+1}).

        Args:
            skeletons: drawn stick figures, (B, 3, T, H, W) in [-1, 1], T = ``frames``.
            video: real or painted frames, likewise.

        Returns:
            For each scale the five maps of :meth:`PatchDiscriminator.forward`, the scores last.

        Raises:
            ValueError: shapes that do not fit.
        """
        sizes = expect_shape("skeletons", skeletons, f"B 3 {self.frames} H W")
        expect_shape("video", video, " ".join(map(str, skeletons.shape)))
        # Time before colour: first both stick figures, then both frames.
        films = torch.cat([skeletons.transpose(1, 2), video.transpose(1, 2)], 1)
        picture = films.reshape(sizes["B"], -1, sizes["H"], sizes["W"])  # (B, 6 T, H, W)
        maps = []
        for number, judge in enumerate(self.scales):
            if number:
                picture = F.avg_pool2d(picture, 3, 2, 1, count_include_pad=False)
            maps.append(judge(picture))
        return maps


def scores(maps: list[list[Tensor]]) -> list[Tensor]:
    """The scores of every scale, each (B, 1, h, w)."""
    return [of_scale[-1] for of_scale in maps]


def features(maps: list[list[Tensor]]) -> list[list[Tensor]]:
    """The four maps of every scale that feature matching compares."""
    return [of_scale[:-1] for of_scale in maps]
