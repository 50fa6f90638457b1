"""A U-Net for frames: the network behind both lectures' painters that learn in minutes."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite.checks import expect_positive, expect_shape
from vidgen_lite.layers import InstanceNorm


class UNet(nn.Module):
    """Down and up again (Ronneberger et al., 2015; as a generator: pix2pix).

    On the way up each level also reads what the way down found at its size, so that the place of a
    limb need not pass through the smallest picture. Pictures are enlarged by repeating pixels and
    then convolved, instead of by transposed convolutions, which leave a chequered pattern.

    Args:
        c_in, c_out: channels of what comes in and of what goes out.
        width: channels at full size; twice as many a level down, up to eight times.
        downsamplings: how often the sides are halved.

    Raises:
        ValueError: a count below 1.
    """

    def __init__(self, *, c_in: int, c_out: int, width: int = 16, downsamplings: int = 4) -> None:
        super().__init__()
        for name, count in {"width": width, "downsamplings": downsamplings}.items():
            expect_positive(name, count)
        self.c_in, self.least = c_in, 2**downsamplings
        widths = [width * min(2**i, 8) for i in range(downsamplings + 1)]
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(
            [_level(c_in, width, 5), *(_level(a, b, 3, stride=2) for a, b in pairs)]
        )
        self.middle = _level(widths[-1], widths[-1], 3)
        self.up = nn.ModuleList(_level(b + a, a, 3) for a, b in reversed(pairs))
        self.last = nn.Sequential(_level(width, width, 3), nn.Conv2d(width, c_out, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, c_in, H, W) to (B, c_out, H, W), of any size.

        Raises:
            ValueError: sides that can't be halved so often, or other channels.
        """
        h, w = (expect_shape("x", x, f"B {self.c_in} H W")[axis] for axis in "HW")
        if h % self.least or w % self.least or h * w < 2 * self.least**2:
            raise ValueError(
                f"x: expected height and width to be multiples of {self.least}, one of them "
                f"larger, got {tuple(x.shape)}"
            )
        found = []
        for down in self.down:
            x = down(x)
            found.append(x)  # (B, widths[i], H / 2^i, W / 2^i)
        x = self.middle(found.pop())
        for up in self.up:
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0), found.pop()], 1))
        return self.last(x)


def _level(c_in: int, c_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2)
    return nn.Sequential(conv, InstanceNorm(c_out), nn.ReLU())
