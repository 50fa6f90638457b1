"""The networks: generators with one stream, two streams and a picture to start from; D.

The published networks make clips of 32 frames of 64x64 pixels, and their sizes are the defaults.
``size=32`` drops one level of each and makes 16 frames of 32x32, which two cores can train in
minutes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite.checks import expect_choice, expect_positive, expect_shape

SIZES = {32: 3, 64: 4, 128: 5}  # pixels a side -> how often a level doubles 4x4 to get there
NORMS = ("batch", "none", "spectral")


class GeneratedVideo(NamedTuple):
    """A generated clip and what it was made of; the one-stream generator has only the video.

    Attributes:
        video: (B, 3, T, H, W) in [-1, 1].
        foreground: f, (B, 3, T, H, W) in [-1, 1].
        mask: m, (B, 1, T, H, W) in (0, 1); 1 where the foreground is seen.
        background: b, (B, 3, H, W) in [-1, 1], one image for all frames.
    """

    video: Tensor
    foreground: Tensor | None
    mask: Tensor | None
    background: Tensor | None


def compose(mask: Tensor, foreground: Tensor, background: Tensor) -> Tensor:
    """Lay the foreground over the background: m * f + (1 - m) * b.

    Equation: eq:two-stream

    Args:
        mask: m, (B, 1, T, H, W) in [0, 1], one value for all three colours.
        foreground: f, (B, 3, T, H, W).
        background: b, (B, 3, H, W), repeated over time.

    Returns:
        (B, 3, T, H, W).

    Raises:
        ValueError: a shape does not fit.
    """
    n = expect_shape("mask", mask, "B 1 T H W")
    expect_shape("foreground", foreground, f"{n['B']} 3 {n['T']} {n['H']} {n['W']}")
    expect_shape("background", background, f"{n['B']} 3 {n['H']} {n['W']}")
    return mask * foreground + (1 - mask) * background.unsqueeze(2)


# Networks


def _levels(size: int) -> int:
    if size not in SIZES:
        raise ValueError(f"size: expected one of {', '.join(map(str, SIZES))}, got {size!r}")
    return SIZES[size]


def _up(dims: int, c_in: int, c_out: int, **first: Any) -> list[nn.Module]:
    """One level of a generator stream: a deconvolution that doubles each side, norm, ReLU."""
    deconv: Any = (nn.ConvTranspose2d, nn.ConvTranspose3d)[dims - 2]
    norm: Any = (nn.BatchNorm2d, nn.BatchNorm3d)[dims - 2]
    settings: dict[str, Any] = {"kernel_size": 4, "stride": 2, "padding": 1} | first
    return [deconv(c_in, c_out, **settings), norm(c_out), nn.ReLU(inplace=True)]


def _stream(dims: int, channels: list[int], *, start: bool) -> nn.Sequential:
    """A stack of levels; with ``start`` the first turns a code into 4x4 pixels (and 2 frames)."""
    layers: list[nn.Module] = []
    for i, (c_in, c_out) in enumerate(itertools.pairwise(channels)):
        seed: dict[str, Any] = {"kernel_size": (2, 4, 4)[3 - dims :], "stride": 1, "padding": 0}
        layers += _up(dims, c_in, c_out, **(seed if start and i == 0 else {}))
    return nn.Sequential(*layers)


def _draw(hidden: Tensor, *heads: nn.Sequential) -> Iterator[Tensor]:
    """What each head, a deconvolution and its squashing, makes of the same map.

    All heads' channels are computed in one deconvolution: one of four channels takes no longer
    than one of one.
    """
    deconvs: list[Any] = [head[0] for head in heads]
    weight = torch.cat([deconv.weight for deconv in deconvs], dim=1)
    bias = torch.cat([deconv.bias for deconv in deconvs])
    drawn = F.conv_transpose3d(hidden, weight, bias, stride=2, padding=1)
    for head, part in zip(heads, drawn.split([d.out_channels for d in deconvs], 1), strict=True):
        yield head[1](part.contiguous(memory_format=torch.channels_last_3d))


def _channels(width: int, levels: int) -> list[int]:
    """Channels from 4x4 up to the last hidden level: 8w, 4w, 2w, w at the published depth."""
    return [width * 2**i for i in reversed(range(levels))]


class VideoGenerator(nn.Module):
    """The two-stream generator (paper section 3.2): one code, a still background, a moving rest.

    Args:
        width: channels of the last hidden level; 64 is the paper's.
        z_dim: length of the code z.
        size: pixels a side; the clip has size / 2 frames.

    Raises:
        ValueError: a size that the levels do not reach, or a width or z_dim below 1.
    """

    def __init__(self, *, width: int = 64, z_dim: int = 100, size: int = 64) -> None:
        super().__init__()
        expect_positive("width", width)
        expect_positive("z_dim", z_dim)
        channels = [z_dim, *_channels(width, _levels(size))]
        self.z_dim, self.size, self.frames = z_dim, size, size // 2
        self.background = nn.Sequential(
            *_stream(2, channels, start=True), nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Tanh()
        )
        self.trunk = _stream(3, channels, start=True)
        self.foreground = nn.Sequential(nn.ConvTranspose3d(width, 3, 4, 2, 1), nn.Tanh())
        self.mask = nn.Sequential(nn.ConvTranspose3d(width, 1, 4, 2, 1), nn.Sigmoid())

    def forward(self, z: Tensor) -> GeneratedVideo:
        """Generate a clip from each code z (B, z_dim)."""
        expect_shape("z", z, f"B {self.z_dim}")
        background = self.background(z[:, :, None, None])  # (B, 3, H, W)
        hidden = self.trunk(z[:, :, None, None, None])  # (B, width, T/2, H/2, W/2)
        foreground, mask = _draw(hidden, self.foreground, self.mask)  # (B, 3 or 1, T, H, W)
        return GeneratedVideo(compose(mask, foreground, background), foreground, mask, background)


class OneStreamGenerator(nn.Module):
    """The baseline (paper section 3.1): the foreground stream alone draws every pixel.

    Arguments and errors as in :class:`VideoGenerator`.
    """

    def __init__(self, *, width: int = 64, z_dim: int = 100, size: int = 64) -> None:
        super().__init__()
        expect_positive("width", width)
        expect_positive("z_dim", z_dim)
        self.z_dim, self.size, self.frames = z_dim, size, size // 2
        self.trunk = _stream(3, [z_dim, *_channels(width, _levels(size))], start=True)
        self.foreground = nn.Sequential(nn.ConvTranspose3d(width, 3, 4, 2, 1), nn.Tanh())

    def forward(self, z: Tensor) -> GeneratedVideo:
        """Generate a clip from each code z (B, z_dim)."""
        expect_shape("z", z, f"B {self.z_dim}")
        video = self.foreground(self.trunk(z[:, :, None, None, None]))  # (B, 3, T, H, W)
        return GeneratedVideo(video, None, None, None)


class ImageToVideoGenerator(nn.Module):
    """The image-conditional generator: one picture in, one possible future out.

    Follows the authors' code: four convolutions to a map of 16 width channels at 4x4, no noise,
    two streams from there. The same picture always gives the same future.

    Args:
        width: channels of the encoder's first level are 2 width; 64 is the published size.
        size: pixels a side; the clip has size / 2 frames.

    Raises:
        ValueError: a size that the levels do not reach, or a width below 1.
    """

    def __init__(self, *, width: int = 64, size: int = 64) -> None:
        super().__init__()
        expect_positive("width", width)
        levels = _levels(size)
        channels = _channels(2 * width, levels)  # 16w, 8w, 4w, 2w
        self.size, self.frames = size, size // 2
        encoder: list[nn.Module] = []
        for i, (c_in, c_out) in enumerate(zip([3, *channels[:0:-1]], channels[::-1], strict=True)):
            encoder.append(nn.Conv2d(c_in, c_out, 4, 2, 1))
            encoder += [nn.BatchNorm2d(c_out, eps=1e-3)] if i else []
            encoder.append(nn.ReLU(inplace=True))
        self.encoder = nn.Sequential(*encoder)
        last = channels[-1]
        self.background = nn.Sequential(
            *_stream(2, channels, start=False), nn.ConvTranspose2d(last, 3, 4, 2, 1), nn.Tanh()
        )
        start: dict[str, Any] = {"kernel_size": (2, 1, 1), "stride": 1, "padding": 0}
        self.trunk = nn.Sequential(
            *_up(3, channels[0], channels[0], **start), *_stream(3, channels, start=False)
        )
        self.foreground = nn.Sequential(nn.ConvTranspose3d(last, 3, 4, 2, 1), nn.Tanh())
        self.mask = nn.Sequential(nn.ConvTranspose3d(last, 1, 4, 2, 1), nn.Sigmoid())

    def forward(self, image: Tensor) -> GeneratedVideo:
        """Imagine a clip that starts at each image (B, 3, H, W) in [-1, 1]."""
        expect_shape("image", image, f"B 3 {self.size} {self.size}")
        code = self.encoder(image)  # (B, 16 width, 4, 4)
        background = self.background(code)  # (B, 3, H, W)
        hidden = self.trunk(code.unsqueeze(2))  # (B, 2 width, T/2, H/2, W/2)
        foreground, mask = _draw(hidden, self.foreground, self.mask)
        return GeneratedVideo(compose(mask, foreground, background), foreground, mask, background)


class VideoDiscriminator(nn.Module):
    """Real or generated? One logit a clip, for the scene and the motion together (section 3.3).

    Args:
        width: channels of the first level; 64 is the paper's.
        size: pixels a side; the clip must have size / 2 frames.
        norm: ``batch`` as published, ``none`` (to be steadied by an R1 penalty), ``spectral``.
        batch_statistics: append to the last map how much the clips of the batch differ, so that
            D can tell a batch that is all alike (Karras et al., 2018, section 3).

    Raises:
        ValueError: an unknown size or norm, or a width below 1.
    """

    def __init__(
        self, *, width: int = 64, size: int = 64, norm: str = "batch",
        batch_statistics: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        expect_positive("width", width)
        expect_choice("norm", norm, NORMS)
        channels = _channels(width, _levels(size))[::-1]  # w, 2w, 4w, 8w
        self.size, self.frames, self.channels = size, size // 2, channels
        self.batch_statistics = batch_statistics
        wrap = nn.utils.parametrizations.spectral_norm if norm == "spectral" else lambda x: x
        layers: list[nn.Module] = []
        for i, (c_in, c_out) in enumerate(itertools.pairwise([3, *channels])):
            layers.append(wrap(nn.Conv3d(c_in, c_out, 4, 2, 1)))
            if norm == "batch" and i > 0:
                layers.append(nn.BatchNorm3d(c_out, eps=1e-3))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.features = nn.Sequential(*layers)
        self.head = wrap(nn.Conv3d(channels[-1] + batch_statistics, 1, (2, 4, 4)))

    def forward(self, video: Tensor) -> Tensor:
        """Judge clips (B, 3, T, H, W) in [-1, 1]; returns logits (B,), large for real."""
        expect_shape("video", video, f"B 3 {self.frames} {self.size} {self.size}")
        hidden = self.features(video)  # (B, 8 width, 2, 4, 4)
        if self.batch_statistics:
            spread = hidden.var(0, unbiased=False).add(1e-8).sqrt().mean()
            hidden = torch.cat([hidden, spread.expand_as(hidden[:, :1])], dim=1)
        return self.head(hidden).flatten()  # (B,)
