"""The Pose-GAN's networks: a picture and a film of skeletons in, a film out; and who judges it.

Sizes are the authors' code's: 32 frames of 64x80 pixels. Both networks halve time, height and
width four times, so any size whose three numbers are multiples of 16 will do. The second generator,
for a laptop, is not the authors'.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from vidgen_lite.checks import expect_choice, expect_positive, expect_shape
from vidgen_lite.skeleton import LIMBS
from vidgen_lite.unet import UNet

GENERATORS = ("film", "frames")
NORMS = ("batch", "none")
LEVELS = 4  # how often a side is halved before the last layer


def _bottom(size: tuple[int, int, int]) -> tuple[int, int, int]:
    """Frames, height and width of the smallest map, or an error that names the size."""
    whole = all(isinstance(side, int) and side > 0 and side % 2**LEVELS == 0 for side in size)
    if len(size) != 3 or not whole:
        raise ValueError(
            f"size: expected three multiples of {2**LEVELS} (frames, height, width), got {size!r}"
        )
    t, h, w = (side // 2**LEVELS for side in size)
    return t, h, w


def _triple(sides: list[int]) -> tuple[int, int, int]:
    t, h, w = sides
    return t, h, w


class PoseGenerator(nn.Module):
    """A 3-D U-Net from skeletons and a first frame to the film (authors' code, ``defineGV_unet``).

    What it reads are pictures of the skeletons; ``limbs`` says so.

    The first frame is repeated for every moment and stacked on the skeletons: six channels in.
    There is no noise: only dropout is random, and it is off in ``eval`` mode. The authors
    subtract a mean colour from pixels in [0, 1]; here, as everywhere in the course, pixels lie in
    [-1, 1].

    Args:
        width: channels of the first level; 32 is the published size.
        size: frames, height and width of the film, each a multiple of 16.
        dropout: share of values dropped in the first two levels on the way up.
        bottleneck_norm: batch norm at the single place in the middle, as published. A film has
            one value a channel there, so a small batch's mean and variance say more about the
            other films than about the channel, and what the puppet looks like passes here.

    Raises:
        ValueError: another size, or a width below 1.
    """

    limbs = False

    def __init__(
        self,
        *,
        width: int = 32,
        size: tuple[int, int, int] = (32, 64, 80),
        dropout: float = 0.5,
        bottleneck_norm: bool = True,
    ) -> None:
        super().__init__()
        expect_positive("width", width)
        self.size, w = tuple(size), width
        bottom = _bottom(size)
        # One step from the smallest map to a single place and back; padding 1 on each side. A
        # kernel as large as the padded map would do both, but the published ones are even.
        squeeze = _triple([(side + 2) // 2 * 2 for side in bottom])
        spread = _triple([side + 2 for side in bottom])
        self.e1 = nn.Conv3d(6, w, 4, 2, 1)
        self.e2 = _down(w, 2 * w)
        self.e3 = _down(2 * w, 4 * w)
        self.e4 = _down(4 * w, 8 * w)
        self.e5 = _down(8 * w, 8 * w, squeeze, norm=bottleneck_norm)
        self.d3 = _up(8 * w, 8 * w, spread, dropout=dropout)
        self.d4 = _up(16 * w, 4 * w, dropout=dropout)
        self.d5 = _up(8 * w, 2 * w)
        self.d6 = _up(4 * w, w)
        self.d7 = nn.Sequential(nn.ReLU(), nn.ConvTranspose3d(2 * w, 3, 4, 2, 1), nn.Tanh())

    def forward(self, skeleton: Tensor, image: Tensor) -> Tensor:
        """Paint the film in which the figure in the image moves as the skeletons do.

        Args:
            skeleton: drawn skeletons, (B, 3, T, H, W) in [-1, 1].
            image: the first frame, (B, 3, H, W) in [-1, 1].

        Returns:
            The film, (B, 3, T, H, W) in [-1, 1].
        """
        t, h, w = self.size
        n = expect_shape("skeleton", skeleton, f"B 3 {t} {h} {w}")["B"]
        expect_shape("image", image, f"{n} 3 {h} {w}")
        e1 = self.e1(stack_image(skeleton, image))  # (B, w, T/2, H/2, W/2)
        e2 = self.e2(e1)
        e3 = self.e3(e2)
        e4 = self.e4(e3)  # (B, 8w, T/16, H/16, W/16)
        d3 = self.d3(self.e5(e4))  # through a single place (B, 8w, 1, 1, 1) and back
        d4 = self.d4(torch.cat([d3, e4], 1))
        d5 = self.d5(torch.cat([d4, e3], 1))
        d6 = self.d6(torch.cat([d5, e2], 1))
        return self.d7(torch.cat([d6, e1], 1))


def stack_image(film: Tensor, image: Tensor) -> Tensor:
    """Repeat an image (B, C, H, W) over time and stack it on a film (B, K, T, H, W)."""
    return torch.cat([film, image.unsqueeze(2).expand(-1, -1, film.shape[2], -1, -1)], 1)


def _down(
    c_in: int, c_out: int, kernel: int | tuple[int, int, int] = 4, norm: bool = True
) -> nn.Sequential:
    # Never in place: the level above still needs what comes in.
    layers = [nn.LeakyReLU(0.2), nn.Conv3d(c_in, c_out, kernel, 2, 1)]
    return nn.Sequential(*layers, *([nn.BatchNorm3d(c_out)] if norm else []))


def _up(
    c_in: int, c_out: int, kernel: int | tuple[int, int, int] = 4, dropout: float = 0.0
) -> nn.Sequential:
    layers = [nn.ReLU(), nn.ConvTranspose3d(c_in, c_out, kernel, 2, 1), nn.BatchNorm3d(c_out)]
    return nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []))


class FrameGenerator(nn.Module):
    """Paint a film frame by frame, with a network that learns in minutes; not the paper's.

    Each frame is made by a 2-D U-Net from three things: its own skeleton, the first picture, and
    the first picture's skeleton, which says what is where in it. So frames of unrelated films can
    be learned from, one by one. And what stands still need not be painted: as in lecture 2, the
    network makes a figure f and a mask m, and the frame is m f + (1 - m) times the first picture.
    ``mask`` is that of the film painted last, (B, 1, T, H, W), for a penalty.

    Args:
        width: channels of the U-Net at full size.
        size: frames, height and width of the film; height and width multiples of 16.

    Raises:
        ValueError: another size, or a width below 1.
    """

    limbs = True

    def __init__(self, *, width: int = 16, size: tuple[int, int, int] = (32, 64, 80)) -> None:
        super().__init__()
        _bottom(size)
        self.size = tuple(size)
        self.unet = UNet(c_in=2 * len(LIMBS) + 3, c_out=4, width=width, downsamplings=LEVELS)
        self.mask: Tensor | None = None

    def forward(self, skeleton: Tensor, image: Tensor) -> Tensor:
        """Paint the film in which the figure in the image moves as the skeletons do.

        Args:
            skeleton: the limbs of each frame, and behind them those of the first picture, from
                ``gan_steps.draw_figures``: (B, 34, T, H, W) in [-1, 1], of any number of frames.
            image: the first picture, (B, 3, H, W) in [-1, 1].

        Returns:
            The film, (B, 3, T, H, W) in [-1, 1].
        """
        _, h, w = self.size
        shape = expect_shape("skeleton", skeleton, f"B {2 * len(LIMBS)} T {h} {w}")
        b, t = shape["B"], shape["T"]
        expect_shape("image", image, f"{b} 3 {h} {w}")
        frames = stack_image(skeleton, image).transpose(1, 2).flatten(0, 1)  # (B T, 37, H, W)
        frames = frames.contiguous(memory_format=torch.channels_last)
        painted = self.unet(frames).unflatten(0, (b, t)).transpose(1, 2)  # (B, 4, T, H, W)
        f, m = painted.split((3, 1), 1)
        m = m.sigmoid()
        self.mask = m if m.requires_grad else None  # kept only while somebody learns from it
        return m * f.tanh() + (1 - m) * image.unsqueeze(2)


class PoseVideoDiscriminator(nn.Module):
    """Real or made? VGAN's discriminator, twice as wide (authors' code, ``defineD``).

    The authors' has two outputs, one for real and one for made, and a cross-entropy over both.
    ``forward`` returns their difference, real minus made. That is the logit of "real", and its
    logistic loss is the cross-entropy of the two exactly, so lecture 1's losses hold as they are.

    Args:
        width: channels of the first level; 128 is the published size.
        size: frames, height and width of the film, each a multiple of 16.
        conditional: also show it the skeletons and the first frame, so that it can tell a film
            that moves otherwise than it was told to. The published one sees the film alone.
        norm: ``batch`` as published, or ``none`` (to be steadied by an R1 penalty).

    Raises:
        ValueError: another size, an unknown norm, or a width below 1.
    """

    def __init__(
        self,
        *,
        width: int = 128,
        size: tuple[int, int, int] = (32, 64, 80),
        conditional: bool = False,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        expect_positive("width", width)
        expect_choice("norm", norm, NORMS)
        self.size, self.conditional = tuple(size), conditional
        bottom = _bottom(size)
        channels = [9 if conditional else 3, *(width * 2**i for i in range(LEVELS))]
        layers: list[nn.Module] = []
        for i, (c_in, c_out) in enumerate(itertools.pairwise(channels)):
            layers.append(nn.Conv3d(c_in, c_out, 4, 2, 1))
            if norm == "batch" and i > 0:
                layers.append(nn.BatchNorm3d(c_out, eps=1e-3))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.features = nn.Sequential(*layers)
        self.head = nn.Conv3d(channels[-1], 2, bottom)

    def forward(
        self, video: Tensor, skeleton: Tensor | None = None, image: Tensor | None = None
    ) -> Tensor:
        """Judge films; returns logits (B,), large for real.

        Args:
            video: (B, 3, T, H, W) in [-1, 1].
            skeleton: (B, 3, T, H, W) in [-1, 1]; needed if conditional, else not looked at.
            image: the first frame, (B, 3, H, W) in [-1, 1]; likewise.

        Raises:
            ValueError: a shape does not fit, or a conditional one gets no skeleton or image.
        """
        outputs = self.two_outputs(video, skeleton, image)  # (B, 2)
        return outputs[:, 0] - outputs[:, 1]

    def two_outputs(
        self, video: Tensor, skeleton: Tensor | None = None, image: Tensor | None = None
    ) -> Tensor:
        """The two outputs (B, 2) before they are subtracted: for real and for made."""
        t, h, w = self.size
        n = expect_shape("video", video, f"B 3 {t} {h} {w}")["B"]
        if self.conditional:
            if skeleton is None or image is None:
                raise ValueError("skeleton, image: a conditional discriminator needs both")
            expect_shape("skeleton", skeleton, f"{n} 3 {t} {h} {w}")
            expect_shape("image", image, f"{n} 3 {h} {w}")
            video = stack_image(torch.cat([video, skeleton], 1), image)  # (B, 9, T, H, W)
        return self.head(self.features(video)).flatten(1)
