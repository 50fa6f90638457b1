"""Frame features for distances between sets of clips: MobileNetV2, trained on ImageNet.

A Fréchet distance means little without the name of its features. These are the 96 channels of
MobileNetV2 (Sandler et al., 2018) at a sixteenth of the frame's sides, each averaged over the
frame: late enough to know textures and parts, and few enough that some hundred clips pin their
covariance down (the 1,280 last ones need tens of thousands). They know nothing of motion, so a
second distance is taken on their differences over time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite.checks import expect_shape

# (expansion, channels, repeats, stride): table 2 of the MobileNetV2 paper, its first five rows
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, on pixels in [0, 1]


def _conv(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(c_out)]


class InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, narrow; add the input where the shapes agree."""

    def __init__(self, *, c_in: int, c_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = c_in * expansion
        widen = [*_conv(c_in, hidden, 1), nn.ReLU6(inplace=True)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *widen,
            *_conv(hidden, hidden, 3, stride, groups=hidden),
            nn.ReLU6(inplace=True),
            *_conv(hidden, c_out, 1),
        )
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """The network up to its 96-channel blocks; weights come from :func:`load_features`."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Sequential(*_conv(3, 32, 3, 2), nn.ReLU6(inplace=True))]
        c_in = 32
        for expansion, c_out, repeats, stride in BLOCKS:
            for i in range(repeats):
                block = {"c_in": c_in, "c_out": c_out, "stride": stride if i == 0 else 1}
                layers.append(InvertedResidual(**block, expansion=expansion))
                c_in = c_out
        self.features = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, 96) of images (B, 3, H, W), normalised as for ImageNet."""
        return self.features(image).mean((2, 3))


class SmallFrames(nn.Module):
    """The frame itself at 6x6 pixels, 108 numbers: features that need no download."""

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, 108) of images (B, 3, H, W)."""
        return F.adaptive_avg_pool2d(image, 6).flatten(1)


def load_features() -> MobileNetV2:
    """The network with its ImageNet weights, fetched once (8 MB).

    Raises:
        FetchError: they are not in the cache and can't be fetched.
    """
    from vidgen_lite.data.fetch import fetch

    (path,) = fetch("features").values()
    network = MobileNetV2()
    weights = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict({key: weights[key] for key in network.state_dict()})
    return network.eval().requires_grad_(False)


@torch.no_grad()
def clip_features(
    network: nn.Module, video: Tensor, *, frames: int = 4, size: int = 96, batch: int = 64
) -> tuple[Tensor, Tensor]:
    """Features of a few frames of each clip, and how they change from one to the next.

    Args:
        network: from :func:`load_features`.
        video: (N, 3, T, H, W) in [-1, 1].
        frames: how many frames of a clip are looked at, evenly spread.
        size: frames are enlarged to this many pixels a side.
        batch: frames at a time.

    Returns:
        Frame features (N * frames, 96) and differences (N * (frames - 1), 96).

    Raises:
        ValueError: the video has another shape.
    """
    n = expect_shape("video", video, "N 3 T H W")
    moments = torch.linspace(0, n["T"] - 1, frames).round().long()
    images = video[:, :, moments].transpose(1, 2).flatten(0, 1)  # (N * frames, 3, H, W)
    mean, std = (torch.tensor(x, device=video.device)[:, None, None] for x in (MEAN, STD))
    found = []
    for part in images.split(batch):
        part = F.interpolate(part, (size, size), mode="bilinear", antialias=True)
        found.append(network(((part + 1) / 2 - mean) / std))
    features = torch.cat(found).view(n["N"], frames, -1)
    return features.flatten(0, 1), features.diff(dim=1).flatten(0, 1)
