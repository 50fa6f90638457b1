"""Numbers for generated clips, each with what it does not say.

Videos are (N, 3, T, H, W) in [-1, 1]. A number is no substitute for watching: every table of the
course that uses one of these stands beside the clips it was computed on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vidgen_lite.checks import expect_shape


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The Fréchet distance between two sets of features, each taken for a Gaussian.

    It compares means and covariances only, and it depends on the features: name them beside it.

    Equation: eq:frechet

    Args:
        a: features, (N, D).
        b: features, (M, D).

    Returns:
        |mean difference|^2 + tr(A + B - 2 (A B)^(1/2)), at least 0.

    Raises:
        ValueError: the shapes differ, a set has fewer than two rows, or a value is not finite.
    """
    d = expect_shape("a", a, "N D")["D"]
    expect_shape("b", b, f"M {d}")
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a, b: expected at least 2 rows each, got {len(a)} and {len(b)}")
    for name, features in (("a", a), ("b", b)):
        if not features.isfinite().all():
            raise ValueError(f"{name}: expected finite features, got NaN or infinity")
    a, b = a.double(), b.double()
    mean = (a.mean(0) - b.mean(0)).square().sum()
    # With centred rows X / sqrt(N - 1), A = X'X and tr (A B)^(1/2) is the sum of the singular
    # values of X Y': no square root of a D x D matrix has to be found.
    x = (a - a.mean(0)) / (len(a) - 1) ** 0.5
    y = (b - b.mean(0)) / (len(b) - 1) ** 0.5
    cross = torch.linalg.svdvals(x @ y.T).sum()
    return (mean + x.square().sum() + y.square().sum() - 2 * cross).clamp(min=0).item()


def motion_energy(video: Tensor) -> float:
    """How much moves: the mean absolute change from one frame to the next.

    Equation: eq:motion-energy

    Noise counts as motion too: read it together with :func:`still_flicker`.
    """
    _expect_video("video", video)
    return (video[:, :, 1:] - video[:, :, :-1]).abs().mean().item()


def mover(video: Tensor, threshold: float = 0.25) -> Tensor:
    """Where a clip differs from its own median over time: a mask of the mover without a model.

    Args:
        video: (N, 3, T, H, W).
        threshold: least difference, as the mean over the colours.

    Returns:
        (N, 1, T, H, W) bool. A mover that stands still for more than half of the clip is missed.
    """
    _expect_video("video", video)
    # torch's median is wrong along an axis that expand() made, as in a still baseline's clip.
    median = video.contiguous().median(dim=2, keepdim=True).values
    return (video - median).abs().mean(1, keepdim=True) > threshold


def still_flicker(video: Tensor, threshold: float = 0.25) -> float:
    """How much the still pixels flicker: the mean change at pixels that no mover ever touches.

    A pixel counts as still if :func:`mover` finds nothing there in any frame. Where no pixel is
    still, as in a clip of noise, there is no such number: NaN.
    """
    still = ~mover(video, threshold).any(dim=2)  # (N, 1, H, W)
    change = (video[:, :, 1:] - video[:, :, :-1]).abs().mean((1, 2))  # (N, H, W)
    return change[still[:, 0]].mean().item()


def mask_iou(mask: Tensor, truth: Tensor) -> float:
    """Intersection over union of two masks, each cut at 1/2, over all clips together.

    Args:
        mask: (N, 1, T, H, W) in [0, 1].
        truth: the same shape.

    Returns:
        Between 0 and 1; 1 if both are empty.
    """
    expect_shape("truth", truth, " ".join(map(str, mask.shape)))
    a, b = mask > 0.5, truth > 0.5
    union = (a | b).sum().item()
    return (a & b).sum().item() / union if union else 1.0


def diversity(features: Tensor) -> float:
    """The mean distance between two different rows of features (N, D): 0 if all are alike.

    Raises:
        ValueError: not of that shape, or fewer than two rows.
    """
    n = expect_shape("features", features, "N D")["N"]
    if n < 2:
        raise ValueError(f"features: expected at least 2 rows, got {n}")
    return torch.cdist(features.float(), features.float()).sum().item() / (n * (n - 1))


def nearest_clips(samples: Tensor, clips: Tensor) -> tuple[Tensor, Tensor]:
    """Find for each sample the clip most like it, pixel by pixel: is anything learned by heart?

    Args:
        samples: (N, 3, T, H, W).
        clips: (M, 3, T, H, W).

    Returns:
        Indices into ``clips`` (N,) and root-mean-square differences (N,).
    """
    _expect_video("samples", samples)
    expect_shape("clips", clips, "M " + " ".join(map(str, samples.shape[1:])))
    distance = torch.cdist(samples.flatten(1), clips.flatten(1))  # (N, M)
    nearest = distance.min(dim=1)
    return nearest.indices, nearest.values / samples[0].numel() ** 0.5


def _expect_video(name: str, video: Tensor) -> None:
    frames = expect_shape(name, video, "N 3 T H W")["T"]
    if frames < 2:
        raise ValueError(f"{name}: expected at least 2 frames, got {frames}")
