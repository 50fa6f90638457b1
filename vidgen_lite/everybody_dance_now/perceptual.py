"""What a trained network sees in frames: the features that L_P compares.

Any module will do that takes frames (B, 3, H, W) in [-1, 1], returns a list of maps, and says in
``weights`` how much each level counts. There are three: ``puppets``, a small network of the
course's own, trained in a minute on puppets; ``mobilenet``, MobileNetV2 with its ImageNet weights;
and ``vgg19``, the paper's, where torchvision is installed.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite.checks import expect_choice, expect_positive, expect_shape
from vidgen_lite.data.fetch import cache_dir
from vidgen_lite.features import MEAN, STD, load_features
from vidgen_lite.keypoints import map_error
from vidgen_lite.skeleton import JOINTS
from vidgen_lite.training import step_generator, to_float
from vidgen_lite.weights import initialise_by_fan_in

KINDS = ("puppets", "mobilenet", "vgg19")
BLURS = (0.0, 0.7, 1.4, 2.1)  # standard deviations in pixels, one of which is to be told
LEVELS = 4
_RECIPE = 1  # raise it when the code below would train other features
MOBILENET_SIDE = 96  # smaller pictures are enlarged to this before MobileNetV2 sees them


class PuppetFeatures(nn.Module):
    """Features of a network that had to find joints and to tell how blurred a picture is.

    The first task needs features that know limbs and where they are; the second, features that
    know edges. A network with only the first learns not to mind blur.

    Args:
        width: channels at full size; twice as many after each halving.

    Attributes:
        weights: such that the four levels count alike: 1/4 over the mean of a level's map, which
            is measured at the end of training. Before that, 1/4.

    Raises:
        ValueError: a width below 1.
    """

    means: Tensor

    def __init__(self, *, width: int = 16) -> None:
        super().__init__()
        expect_positive("width", width)
        widths = [3, *(width * 2**i for i in range(LEVELS))]
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(widths[i], widths[i + 1], 3, 1 if i == 0 else 2, 1),
                nn.ReLU(inplace=True),
            )
            for i in range(LEVELS)
        )
        self.register_buffer("means", torch.ones(LEVELS))
        # For training only: joints at half the side, from a mixture of all levels, and the blur.
        self.joints = nn.ModuleList(nn.Conv2d(w, len(JOINTS), 3, 1, 1) for w in widths[1:])
        self.blur = nn.Linear(2 * sum(widths[1:]), len(BLURS))
        initialise_by_fan_in(self.levels)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Four maps of frames (B, 3, H, W) in [-1, 1], at the full side, 1/2, 1/4 and 1/8."""
        expect_shape("frames", frames, "B 3 H W")
        maps = []
        for level in self.levels:
            frames = level(frames)
            maps.append(frames)
        return maps

    @property
    def weights(self) -> tuple[float, ...]:
        """How much each level counts in L_P."""
        return tuple(1 / (LEVELS * mean) for mean in self.means.tolist())

    def tasks(self, frames: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Log heat-maps of the joints (B, 18, H/2, W/2), the blur's logits (B, 4), and the maps."""
        maps = self(frames)
        half = (frames.shape[-2] // 2, frames.shape[-1] // 2)
        votes = [
            F.interpolate(head(map_), half, mode="bilinear", align_corners=False)
            for head, map_ in zip(self.joints, maps, strict=True)
        ]
        found = torch.stack(votes).sum(0)
        contrast = [part for map_ in maps for part in (map_.mean((2, 3)), map_.std((2, 3)))]
        told = self.blur(torch.cat(contrast, 1))
        return found.flatten(2).log_softmax(2).view_as(found), told, maps


def train_puppet_features(
    network: PuppetFeatures,
    frames: Tensor,
    poses: Tensor,
    *,
    steps: int,
    batch_size: int = 16,
    learning_rate: float = 2e-3,
    seed: int = 0,
) -> Iterator[dict[str, float]]:
    """Train on frames whose poses are known; yields a record a step.

    Args:
        network: changed in place; frozen and in ``eval`` mode at the end.
        frames: (N, 3, H, W), float in [-1, 1] or uint8; even sides.
        poses: (N, 18, 3) in pixels.
        steps: how many batches.
        batch_size: frames a batch, drawn with replacement.
        learning_rate: Adam's at the start; it falls to zero along half a cosine.
        seed: of the batches.

    Raises:
        ValueError: frames and poses do not agree in number.
    """
    n = expect_shape("frames", frames, "N 3 H W")["N"]
    expect_shape("poses", poses, f"{n} {len(JOINTS)} 3")
    device = next(network.parameters()).device
    optimizer = torch.optim.Adam(network.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    means = torch.ones(LEVELS)
    for step in range(steps):
        random = step_generator(seed, step)
        index = torch.randint(n, (batch_size,), generator=random)
        amount = torch.randint(len(BLURS), (batch_size,), generator=random)
        batch = to_float(frames[index])
        batch = torch.cat([blur(one[None], BLURS[k]) for one, k in zip(batch, amount, strict=True)])
        found, told, maps = network.tasks(batch.to(device))
        joints = map_error(found, poses[index].to(device))
        sharp = F.cross_entropy(told, amount.to(device))
        optimizer.zero_grad()
        (joints + sharp).backward()
        optimizer.step()
        schedule.step()
        means = torch.stack([map_.detach().mean() for map_ in maps]).cpu()
        yield {"step": step + 1, "joints": joints.item(), "blur": sharp.item()}
    network.means.copy_(means.clamp(min=1e-3))
    network.eval().requires_grad_(False)


def blur(frames: Tensor, sigma: float) -> Tensor:
    """Blur frames (B, 3, H, W) with a Gaussian of that many pixels; 0 leaves them as they are."""
    if sigma == 0:
        return frames
    reach = int(3 * sigma + 0.5)
    away = torch.arange(-reach, reach + 1, device=frames.device, dtype=frames.dtype)
    kernel = torch.exp(-0.5 * (away / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(frames.shape[1], 1, -1)
    padded = F.pad(frames, (reach,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel[:, :, None], groups=frames.shape[1])
    return F.conv2d(across, kernel[:, :, :, None], groups=frames.shape[1])


class MobileNetFeatures(nn.Module):
    """Maps of MobileNetV2 at a half, a quarter, an eighth and a sixteenth of the side.

    Frames are normalised as for ImageNet; those with a side below 96 pixels are enlarged.
    """

    weights = (0.25,) * 4
    mean: Tensor
    std: Tensor
    TAPS = (1, 3, 6, 13)  # blocks after which the next one halves the side, and the last block

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Four maps of frames (B, 3, H, W) in [-1, 1]."""
        h, w = (expect_shape("frames", frames, "B 3 H W")[axis] for axis in "HW")
        if min(h, w) < MOBILENET_SIDE:
            scale = MOBILENET_SIDE / min(h, w)
            size = (round(h * scale), round(w * scale))
            frames = F.interpolate(frames, size, mode="bilinear", align_corners=False)
        return _taps(self.network.features, ((frames + 1) / 2 - self.mean) / self.std, self.TAPS)


class VGG19Features(nn.Module):
    """The paper's maps: VGG19 after the first ReLU of each of its five blocks.

    As in the authors' code the deepest map counts most, and frames in [-1, 1] go in as they are,
    without ImageNet's mean and deviation.
    """

    weights = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
    TAPS = (1, 6, 11, 20, 29)

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers[: self.TAPS[-1] + 1]

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Five maps of frames (B, 3, H, W) in [-1, 1]; sides of at least 16 pixels."""
        expect_shape("frames", frames, "B 3 H W")
        return _taps(self.layers, frames, self.TAPS)


def _taps(layers: Any, x: Tensor, taps: tuple[int, ...]) -> list[Tensor]:
    maps = []
    for number, layer in enumerate(layers):
        x = layer(x)
        if number in taps:
            maps.append(x)
    return maps


def load_perceptual(kind: str = "puppets", *, steps: int = 1_500, progress: bool = False) -> Any:
    """A network for L_P, ready to use: frozen, in ``eval`` mode, on the CPU.

    ``puppets`` is trained at the first call, and kept in the cache.

    Args:
        kind: one of ``KINDS``.
        steps: how long to train ``puppets``; 1,500 take about a minute on a processor.
        progress: show a progress bar while it trains.

    Raises:
        ValueError: another kind.
        FetchError: weights of ``mobilenet`` that can't be fetched.
        RuntimeError: ``vgg19`` without torchvision, or without its weights.
    """
    expect_choice("kind", kind, KINDS)
    if kind == "puppets":
        network: nn.Module = _puppet_features(steps, progress)
    elif kind == "mobilenet":
        network = MobileNetFeatures(load_features())
    else:
        network = VGG19Features(_vgg19())
    return network.eval().requires_grad_(False)


def puppet_frames(n: int = 2_000, *, seed: int = 100, size: int = 64) -> tuple[Tensor, Tensor]:
    """Frames of many puppets in all scenes: (n, 3, size, size) in [-1, 1]; poses (n, 18, 3)."""
    from vidgen_lite.data.puppets import CAST, make_clips, random_puppet

    random = torch.Generator().manual_seed(seed)
    puppets = [*CAST, *(random_puppet(random) for _ in range(24))]
    clips = make_clips(-(-n // 2), seed=seed, frames=8, size=size, puppets=puppets)
    # Two moments of each film, as far apart as they can be.
    ends = clips.video[:, :, [0, -1]].transpose(1, 2).flatten(0, 1), clips.pose[:, [0, -1]]
    return ends[0][:n], ends[1].flatten(0, 1)[:n]


def _puppet_features(steps: int, progress: bool) -> PuppetFeatures:
    """From the cache if they were trained before, for as many steps."""
    from vidgen_lite.training import progress as bar

    torch_state = torch.get_rng_state()
    torch.manual_seed(0)
    network = PuppetFeatures()
    torch.set_rng_state(torch_state)
    file = cache_dir() / "networks" / f"puppet_features_{_RECIPE}_{steps}.safetensors"
    if _read(file, network):
        return network
    frames, poses = puppet_frames(min(2_000, 16 * steps))
    records = train_puppet_features(network, frames, poses, steps=steps)
    for _ in bar(records, steps, "perceptual features") if progress else records:
        pass
    _keep(file, network)
    return network


def _read(file: Path, network: nn.Module) -> bool:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        network.load_state_dict(load_file(file))
    except (OSError, SafetensorError, RuntimeError):
        return False
    return True


def _keep(file: Path, network: nn.Module) -> None:
    """A cache that can't be written only costs time: a warning."""
    from safetensors.torch import save_file

    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(network.state_dict(), partial)
        os.replace(partial, file)
    except Exception as error:  # safetensors has its own error for a full disk
        warnings.warn(f"perceptual features: not kept for the next call: {error}", stacklevel=4)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _vgg19() -> nn.Sequential:
    try:
        from torchvision.models import VGG19_Weights, vgg19
    except ImportError:
        raise RuntimeError(
            "features: 'vgg19' needs torchvision (pip install torchvision); "
            "'puppets' and 'mobilenet' need nothing more"
        ) from None
    try:
        return vgg19(weights=VGG19_Weights.IMAGENET1K_V1).features
    except OSError as error:
        raise RuntimeError(f"features: VGG19's weights can't be fetched: {error}") from error
