"""From a stick figure to a picture of the person: the networks of pix2pixHD, fed with two pictures.

Six channels come in: the stick figure of the present pose, and what the generator painted a frame
ago. Sizes are the authors' code's; ``width``, the number of downsamplings and of residual blocks
are arguments, so that a smaller network is the same class. The last class, for a laptop, is not the
authors'.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite.checks import expect_positive, expect_shape
from vidgen_lite.everybody_dance_now.footage import near_figure
from vidgen_lite.layers import InstanceNorm, ToColours
from vidgen_lite.skeleton import LIMBS, MIRROR
from vidgen_lite.unet import UNet

BODY = 1 / 8  # of a frame's height: no part of a body is farther than that from its stick figure
ROOM = 1 / 16  # what is nearer than that may be body, and teaches b nothing
# MIRRORED[k] is the limb that takes the place of limb k when left and right are exchanged.
_SIDES = [frozenset(limb) for limb in LIMBS]
MIRRORED = tuple(_SIDES.index(frozenset(MIRROR[joint] for joint in limb)) for limb in LIMBS)


class ResidualBlock(nn.Module):
    """Two convolutions whose result is added to what came in; nothing follows the addition."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.ReflectionPad2d(1),
            *_conv(channels, channels, 3),
            nn.ReflectionPad2d(1),
            *_conv(channels, channels, 3)[:-1],
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return x + self.change(x)


class GlobalGenerator(nn.Module):
    """Paint one frame: down, residual blocks, up (authors' code, ``GlobalGenerator``).

    What it reads is a picture of the stick figure; ``limbs`` says so.

    Instance normalisation without weights stands after every convolution but the last.

    Args:
        width: channels at full size; 64 is the published number.
        downsamplings: how often the sides are halved; 4 as published.
        blocks: residual blocks at the smallest size; 9 as published.
        temporal: whether the previous frame is read, too. Without it, the network is pix2pixHD's
            (the paper's FBF, frame by frame), with three channels coming in.

    Raises:
        ValueError: a count below 1.
    """

    limbs = False

    def __init__(
        self, *, width: int = 64, downsamplings: int = 4, blocks: int = 9, temporal: bool = True
    ) -> None:
        super().__init__()
        _expect_counts(width=width, downsamplings=downsamplings, blocks=blocks)
        self.temporal, self.least = temporal, 2**downsamplings
        self.features = nn.Sequential(
            *trunk(6 if temporal else 3, width=width, downsamplings=downsamplings, blocks=blocks)
        )
        self.to_rgb = to_rgb(width)

    def forward(self, pose: Tensor, previous: Tensor | None = None) -> Tensor:
        """Paint the frame whose stick figure this is.

        Args:
            pose: a drawn stick figure, (B, 3, H, W) in [-1, 1] (the authors' are in [0, 1]);
                sides are multiples of 2 to the number of downsamplings, and at least twice that.
            previous: what was painted a frame ago, (B, 3, H, W) in [-1, 1]; for the first frame
                None, which is a picture of zeros. Not looked at unless ``temporal``.

        Returns:
            (B, 3, H, W) in [-1, 1].
        """
        return self.to_rgb(self.features(stack_previous(self, pose, previous)))


class LocalEnhancer(nn.Module):
    """Twice the resolution: a small network around a global one that sees half the size.

    The global network, without its last convolution, reads the picture averaged to half its sides;
    its features are added to the enhancer's own (authors' code, ``LocalEnhancer``).

    Args:
        width: channels at full size; 32 is the published number. The global part has twice as many.
        blocks: residual blocks of the enhancer; 3 as published.
        downsamplings, global_blocks: of the global part; 4 and 9 as published.
        temporal: see :class:`GlobalGenerator`.

    Raises:
        ValueError: a count below 1.
    """

    limbs = False

    def __init__(
        self,
        *,
        width: int = 32,
        blocks: int = 3,
        downsamplings: int = 4,
        global_blocks: int = 9,
        temporal: bool = True,
    ) -> None:
        super().__init__()
        _expect_counts(
            width=width, blocks=blocks, downsamplings=downsamplings, global_blocks=global_blocks
        )
        self.temporal, self.least = temporal, 2 ** (downsamplings + 1)
        c_in = 6 if temporal else 3
        self.coarse = nn.Sequential(
            *trunk(c_in, width=2 * width, downsamplings=downsamplings, blocks=global_blocks)
        )
        self.down = nn.Sequential(*stem(c_in, width), *_conv(width, 2 * width, 3, 2, 1))
        self.up = nn.Sequential(
            *(ResidualBlock(channels=2 * width) for _ in range(blocks)), *_up(2 * width, width)
        )
        self.to_rgb = to_rgb(width)

    def forward(self, pose: Tensor, previous: Tensor | None = None) -> Tensor:
        """As :meth:`GlobalGenerator.forward`; sides are multiples of one more power of two."""
        x = stack_previous(self, pose, previous)
        half = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)  # (B, 3 or 6, H/2, W/2)
        return self.to_rgb(self.up(self.down(x) + self.coarse(half)))

    def start_from(self, generator: GlobalGenerator) -> None:
        """Take over a trained global generator's weights, all but those of its last convolution.

        Raises:
            ValueError: it has other sizes than the global part.
        """
        try:
            self.coarse.load_state_dict(generator.features.state_dict())
        except RuntimeError:
            raise ValueError(
                "generator: expected twice this one's width, and as many downsamplings and "
                "residual blocks as its global part has"
            ) from None


class UNetGenerator(nn.Module):
    """Paint one frame with a network that learns in minutes; not the paper's.

    Three things differ from :class:`GlobalGenerator`. It is a U-Net, so that the place of a limb
    need not pass through the smallest picture. It reads every limb of the stick figure from a
    channel of its own, since in a small picture limbs that cross hide each other. And as a target
    moves before a camera that does not, the room is one picture b, over which the network paints a
    person f and a mask m, as in lecture 2: m f + (1 - m) b. Far from every line of the stick figure
    the mask is 0. The picture begins as :meth:`guess_background` and learns on, but from pixels
    that no line is near: else somebody who never leaves his place becomes part of it. ``mask`` is
    that of the picture painted last, (B, 1, H, W), for a penalty.

    Args:
        size: height and width of the frames.
        width: channels at full size; twice as many a level down, up to eight times.
        downsamplings: how often the sides are halved.
        temporal: see :class:`GlobalGenerator`.
        mirror: while gradients are collected, the network sees the second half of every batch in
            a mirror, and what it paints there is mirrored back before it is laid over the room. So
            an arm also learns from what only the other one did.

    Raises:
        ValueError: a count below 1.
    """

    limbs = True

    def __init__(
        self,
        *,
        size: tuple[int, int],
        width: int = 16,
        downsamplings: int = 4,
        temporal: bool = True,
        mirror: bool = False,
    ) -> None:
        super().__init__()
        self.temporal, self.mirror = temporal, mirror
        c_in = len(LIMBS) + (3 if temporal else 0)
        self.unet = UNet(c_in=c_in, c_out=4, width=width, downsamplings=downsamplings)
        self.least = self.unet.least
        self.background = nn.Parameter(torch.zeros(1, 3, *size))
        self.mask: Tensor | None = None

    @torch.no_grad()
    def guess_background(self, frames: Tensor, figures: Tensor) -> None:
        """Let b be what most frames show at each pixel when nobody is near it.

        What somebody always hides is filled in from around it.

        Args:
            frames: (B, 3, H, W) in [-1, 1].
            figures: their drawn stick figures, likewise.
        """
        hidden = near_figure(figures, ROOM) > 0  # (B, 1, H, W)
        room = frames.masked_fill(hidden, float("nan")).nanmedian(0, keepdim=True).values
        known = (~room.isnan()[:, :1]).to(room.dtype)
        room = room.nan_to_num(0.0)
        while not known.all() and known.any():
            share = F.avg_pool2d(known, 3, 1, 1)
            around = F.avg_pool2d(room * known, 3, 1, 1) / share.clamp(min=1e-3)
            room = torch.where(known > 0, room, around)
            known = (share > 0).to(room.dtype)
        self.background.copy_(room)

    def forward(self, pose: Tensor, previous: Tensor | None = None) -> Tensor:
        """As :meth:`GlobalGenerator.forward`, at the one ``size`` and from (B, 17, H, W)."""
        x = stack_previous(self, pose, previous)
        expect_shape("pose", pose, "B 17 {} {}".format(*self.background.shape[2:]))
        learning = torch.is_grad_enabled()  # whoever only paints wants no mirror
        plain = (len(x) + 1) // 2 if self.mirror and learning else len(x)
        painted = self.unet(torch.cat([x[:plain], mirrored(x[plain:])]))
        f, m = torch.cat([painted[:plain], painted[plain:].flip(-1)]).split((3, 1), 1)
        m = m.sigmoid() * near_figure(pose, BODY)
        self.mask = m if m.requires_grad else None  # kept only while somebody learns from it
        b = torch.where(near_figure(pose, ROOM) > 0, self.background.detach(), self.background)
        return m * f.tanh() + (1 - m) * F.hardtanh(b)


def mirrored(x: Tensor) -> Tensor:
    """Limbs and what follows them, (B, 17 or more, H, W), in a mirror: left limbs become right."""
    order = [*MIRRORED, *range(len(LIMBS), x.shape[1])]
    return x[:, order].flip(-1)


Generator = GlobalGenerator | LocalEnhancer | UNetGenerator


def feed_back(generator: Generator, skeletons: Tensor, previous: Tensor | None = None) -> Tensor:
    """Paint frame after frame, each from its stick figure and the frame painted before it.

    G(x_t) stands for G(x_t, G(x_{t-1})). The first frame has a picture of zeros before it. Nothing
    is detached: with two frames, as in training, the second one's loss also teaches the first.

    Equation: eq:edn-generator

    Args:
        generator: one that is ``temporal``; any other paints all frames at once.
        skeletons: drawn stick figures as it reads them, (B, 3, T, H, W) in [-1, 1], or every limb
            by itself, (B, 17, T, H, W).
        previous: the frame painted before these, (B, 3, H, W), to go on from.

    Returns:
        (B, 3, T, H, W) in [-1, 1].
    """
    b, t = (expect_shape("skeletons", skeletons, "B C T H W")[axis] for axis in "BT")
    if not generator.temporal:
        frames = generator(skeletons.transpose(1, 2).flatten(0, 1))  # (B T, 3, H, W)
        return frames.unflatten(0, (b, t)).transpose(1, 2)
    painted = []
    for pose in skeletons.unbind(2):
        previous = generator(pose, previous)
        painted.append(previous)
    return torch.stack(painted, 2)


def stack_previous(generator: Generator, pose: Tensor, previous: Tensor | None) -> Tensor:
    """What the first convolution reads: the stick figure and, if temporal, the previous frame."""
    channels = len(LIMBS) if generator.limbs else 3
    b, h, w = (expect_shape("pose", pose, f"B {channels} H W")[axis] for axis in "BHW")
    least = generator.least
    if h % least or w % least or min(h, w) < 2 * least:
        raise ValueError(
            f"pose: expected height and width to be multiples of {least} and at least {2 * least}, "
            f"got {tuple(pose.shape)}"
        )
    if not generator.temporal:
        return pose
    if previous is None:
        previous = pose.new_zeros(b, 3, h, w)
    expect_shape("previous", previous, f"{b} 3 {h} {w}")
    return torch.cat([pose, previous], 1)  # (B, 6, H, W), or (B, 20, H, W)


def trunk(c_in: int, *, width: int, downsamplings: int, blocks: int) -> list[nn.Module]:
    """Everything but the last convolution: (B, c_in, H, W) to (B, width, H, W)."""
    widths = [width * 2**i for i in range(downsamplings + 1)]
    layers = stem(c_in, width)
    for narrow, wide in itertools.pairwise(widths):
        layers += _conv(narrow, wide, 3, 2, 1)
    layers += [ResidualBlock(channels=widths[-1]) for _ in range(blocks)]
    for narrow, wide in reversed(list(itertools.pairwise(widths))):
        layers += _up(wide, narrow)
    return layers


def stem(c_in: int, width: int) -> list[nn.Module]:
    """The first convolution, of 7x7 pixels, on a picture that is mirrored at its edges."""
    return [nn.ReflectionPad2d(3), *_conv(c_in, width, 7)]


def to_rgb(width: int) -> nn.Sequential:
    """The last convolution: features (B, width, H, W) to a picture (B, 3, H, W) in [-1, 1]."""
    return nn.Sequential(nn.ReflectionPad2d(3), ToColours(width, 3, 7), nn.Tanh())


def _conv(c_in: int, c_out: int, kernel: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    conv = nn.Conv2d(c_in, c_out, kernel, stride, padding)
    return [conv, InstanceNorm(c_out), nn.ReLU()]


def _up(c_in: int, c_out: int) -> list[nn.Module]:
    conv = nn.ConvTranspose2d(c_in, c_out, 3, 2, 1, output_padding=1)
    return [conv, InstanceNorm(c_out), nn.ReLU()]


def _expect_counts(**counts: int) -> None:
    for name, count in counts.items():
        expect_positive(name, count)
