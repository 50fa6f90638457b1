"""Is one of n imagined futures the true one? Errors, baselines, and what samples have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vidgen_lite.checks import expect_positive, expect_shape
from vidgen_lite.skeleton import LIMBS

if TYPE_CHECKING:
    from vidgen_lite.data.tracks import Tracks


def best_of_n_error(samples: Tensor, truth: Tensor, *, n: int | None = None) -> Tensor:
    """The squared error of the best of the first n samples, averaged over the examples.

    As in the authors' evaluation; here a mean over steps and joints, in square pixels, where
    theirs is a sum. It falls with n by its nature: compare like with like.

    Equation: eq:best-of-n

    Args:
        samples: (N, n, T, J, 2). truth: (N, T, J, 2), both in pixels.
        n: how many of the samples to use; all if not given.

    Returns:
        a scalar.

    Raises:
        ValueError: shapes that do not fit, or more samples asked for than there are.
    """
    return best_of_n_curve(samples, truth, n=n)[-1]


def best_of_n_curve(samples: Tensor, truth: Tensor, *, n: int | None = None) -> Tensor:
    """:func:`best_of_n_error` for 1, 2, … n samples: (n,)."""
    sizes = expect_shape("samples", samples, "N n T J 2")
    expect_shape("truth", truth, f"{sizes['N']} {sizes['T']} {sizes['J']} 2")
    n = sizes["n"] if n is None else n
    expect_positive("n", n)
    if n > sizes["n"]:
        raise ValueError(f"n: expected at most {sizes['n']} samples, got {n}")
    errors = (samples[:, :n] - truth[:, None]).square().sum(-1).mean((-1, -2))  # (N, n)
    return errors.cummin(dim=1).values.mean(0)


# Baselines


def standing_still(tracks: Tracks) -> Tensor:
    """Nobody moves any more: (N, 5, 18, 2)."""
    return tracks.past[:, -1:, :, :2].expand_as(tracks.future[..., :2]).clone()


def constant_velocity(tracks: Tracks) -> Tensor:
    """Every joint goes on as in the last past step: (N, 5, 18, 2)."""
    now, before = tracks.past[:, -1:, :, :2], tracks.past[:, -2:-1, :, :2]
    steps = torch.arange(1, tracks.future.shape[1] + 1)[:, None, None]
    return now + steps * (now - before)


def nearest_neighbour(tracks: Tracks, train: Tracks, *, k: int = 1) -> Tensor:
    """What happened next to the k training tracks whose past is most alike.

    Pasts are compared, and futures carried over, relative to the middle of the hips now.

    Returns:
        (N, k, 5, 18, 2), the most alike first.
    """
    expect_positive("k", k)
    here, there = (_hips(t.past[:, -1, :, :2])[:, None, None] for t in (tracks, train))
    query = (tracks.past[..., :2] - here).flatten(1)
    nearest = torch.cdist(query, (train.past[..., :2] - there).flatten(1)).topk(k, largest=False)
    return (train.future[..., :2] - there)[nearest.indices] + here[:, None]


def _hips(places: Tensor) -> Tensor:
    return 0.5 * (places[..., 8, :] + places[..., 11, :])


# What the samples are like


def active_dimensions(kl: Tensor, threshold: float = 0.01) -> int:
    """How many dimensions of z carry more than ``threshold`` nats; kl (z_dim,)."""
    return int((kl > threshold).sum())


def spread(samples: Tensor) -> Tensor:
    """How far apart n samples of one past end, in pixels: the mean distance of a joint from its
    mean place at the last step, over samples (N, n, T, J, 2)."""
    last = samples[:, :, -1]
    return (last - last.mean(1, keepdim=True)).norm(dim=-1).mean()


def bone_lengths(poses: Tensor) -> Tensor:
    """Lengths of the 17 limbs in pixels: (…, 18, 2) -> (…, 17)."""
    start, stop = (list(ends) for ends in zip(*LIMBS, strict=True))
    return (poses[..., start, :] - poses[..., stop, :]).norm(dim=-1)


def bone_growth(poses: Tensor, now: Tensor) -> Tensor:
    """How much longer or shorter the limbs get over a clip, all together, as a share: a scalar.

    A limb that turns towards the camera looks shorter, in true clips too. Over many clips that
    comes out even, while a forecast that melts or swells does not.

    Args:
        poses: (N, n, T, 18, 2), samples. now: (N, 18, 2), the poses they start from.
    """
    now = bone_lengths(now).sum(-1)  # (N,)
    return (bone_lengths(poses[:, :, -1]).sum(-1) / now[:, None] - 1).mean()


def bone_change(poses: Tensor, now: Tensor) -> Tensor:
    """How much single limbs change their length in the picture, either way, as a share: a scalar.

    To be compared with the same of true clips, which turning limbs make far from zero.
    Arguments as in :func:`bone_growth`.
    """
    before = bone_lengths(now)[:, None, None]  # (N, 1, 1, 17)
    change = (bone_lengths(poses) - before).abs().sum(-1) / before.sum(-1)
    return change.mean()


def clusters(
    samples: Tensor, now: Tensor, *, k: int = 5, share: float = 0.1, rounds: int = 30, seed: int = 0
) -> Tensor:
    """The authors' way to show many samples: keep those that move most, and group them.

    Of n samples of one past, the ``share`` with most motion is kept, each one's motion is scaled
    to length one, and k-means finds k groups.

    Args:
        samples: (n, T, J, 2). now: (J, 2), both in pixels.
        k: how many groups.
        share: of the samples, from those with most motion down; at least k are kept.
        rounds: of k-means.
        seed: of its start.

    Returns:
        (k, T, J, 2): of each group the sample nearest its middle, the largest group first.

    Raises:
        ValueError: fewer samples than groups.
    """
    n = expect_shape("samples", samples, "n T J 2")["n"]
    if n < k:
        raise ValueError(f"samples: expected at least {k} of them, got {n}")
    motion = (samples - now).flatten(1)
    keep = motion.norm(dim=1).topk(max(k, round(share * n))).indices
    points = torch.nn.functional.normalize(motion[keep], dim=1)
    generator = torch.Generator().manual_seed(seed)
    centres = points[torch.randperm(len(points), generator=generator)[:k]]
    for _ in range(rounds):
        label = torch.cdist(points, centres).argmin(1)
        centres = torch.stack([
            points[label == j].mean(0) if (label == j).any() else centres[j] for j in range(k)
        ])  # fmt: skip
    distance = torch.cdist(points, centres)
    size = torch.bincount(distance.argmin(1), minlength=k)
    return samples[keep[distance.argmin(0)[size.argsort(descending=True)]]]
