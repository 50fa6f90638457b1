"""The Pose-GAN's runs at each preset, the films it learns from, and how its own are measured."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vidgen_lite.checks import expect_choice, expect_positive, expect_shape
from vidgen_lite.data.pose_clips import squeezed
from vidgen_lite.data.tracks import SPLITS, TEST_CLIPS
from vidgen_lite.pose_futures.gan_steps import GANSettings, draw_figures, generate
from vidgen_lite.training import State

if TYPE_CHECKING:
    from vidgen_lite.data.puppets import PuppetClips

CHUNK = 100  # films that are painted at a time: as floats, thousands would fill a laptop's memory
LAPTOP = GANSettings(
    size=(16, 64, 64),
    generator="frames",
    width=16,
    discriminator_width=8,
    norm="none",
    alpha=300.0,
    moving=5.0,
    mask_weight=4.0,
    warmup=8_000,
    warmup_frames=8,
    r1_weight=10.0,
    r1_every=8,
    average_decay=0.995,
    n_clips=4_000,
    batch_size=2,
    steps=8_400,
    learning_rate=2e-3,
    decay=True,
)
GAN_MODELS: dict[str, GANSettings] = {
    "smoke": replace(LAPTOP, width=4, discriminator_width=4, warmup=2, n_clips=12, steps=6),
    "laptop": LAPTOP,
    "gpu": replace(
        LAPTOP,
        generator="film",
        width=48,
        discriminator_width=48,
        dropout=0.0,
        bottleneck_norm=False,
        warmup=0,
        batch_size=16,
        steps=10_000,
        learning_rate=1e-3,
    ),
    "paper": GANSettings(),
}


@dataclass(frozen=True)
class DrivenClips:
    """Films with the skeletons that drive them.

    Attributes:
        video: (N, 3, T, H, W), uint8 or float in [-1, 1].
        skeleton: the drawn poses, likewise.
        pose: (N, T, 18, 3): x, y in pixels and confidence.
        mask: (N, 1, T, H, W) in [0, 1], where the figure is.
    """

    video: Tensor
    skeleton: Tensor
    pose: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return len(self.video)

    def subset(self, indices: Tensor | slice) -> DrivenClips:
        """Only these films, in this order."""
        return DrivenClips(**{f.name: getattr(self, f.name)[indices] for f in fields(self)})


def driven_clips(
    settings: GANSettings, *, split: str, seed: int, n: int | None = None, progress: bool = False
) -> DrivenClips:
    """Make films of puppets that perform real motion, facing any way, 16 frames a second.

    Three puppets before two scenes, as in lecture 2: a small network gets sharp on what there is.
    They are painted on a square and, where the size is none, squeezed to it.

    Args:
        settings: their size and number of clips are what counts.
        split: ``train``, or ``test``: the whole motions of ``data.tracks.TEST_CLIPS``, of which
            training sees nothing.
        seed: other seeds make other films.
        n: how many, if not ``settings.n_clips``.
        progress: show a progress bar.

    Raises:
        ValueError: an unknown split.
        FetchError: motion capture that can't be fetched.
    """
    from tqdm.auto import tqdm

    from vidgen_lite.data.motion import load_mocap
    from vidgen_lite.data.puppets import CAST, SCENES, make_clips

    expect_choice("split", split, SPLITS)
    motions = [m for name, m in load_mocap().items() if (name in TEST_CLIPS) == (split == "test")]
    # Each excerpt is turned by up to 90 degrees to either side; half of them face away.
    motions = [part for m in motions for part in (m, m.turned(torch.pi))]
    n = settings.n_clips if n is None else n
    expect_positive("n", n)
    t, h, w = settings.size
    parts = []
    for first in tqdm(range(0, n, CHUNK), "puppets", unit=f"{CHUNK} films", disable=not progress):
        clips = make_clips(
            min(CHUNK, n - first),
            seed=seed,
            first=first,
            frames=t,
            size=max(h, w),
            puppets=CAST[:3],
            scenes=SCENES[:2],
            motions=motions,
        )
        parts.append(_driven(clips, (h, w)))
    return DrivenClips(
        *(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(DrivenClips))
    )


def _driven(clips: PuppetClips, size: tuple[int, int]) -> DrivenClips:
    """Puppet films with their skeletons, in bytes, squeezed to the size if it is no square."""
    video, pose = squeezed(clips.video, clips.pose, size)
    mask, _ = squeezed(clips.mask, clips.pose, size)
    return DrivenClips(to_bytes(video), to_bytes(draw_figures(pose, size)), pose, mask)


def to_bytes(film: Tensor) -> Tensor:
    """Keep a film in [-1, 1] as uint8, a quarter of the memory."""
    return ((film + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def in_between(now: Tensor, futures: Tensor, frames: int) -> Tensor:
    """Fill the frames between forecast poses by straight lines, as the authors do.

    Args:
        now: the present pose, (18, 3): x, y in pixels and confidence.
        futures: n futures of K step ends, (n, K, 18, 2), in pixels.
        frames: how many frames to spread the present and the K ends over.

    Returns:
        (n, frames, 18, 3); every joint keeps the confidence that it has now.
    """
    expect_shape("now", now, "18 3")
    n, k = (expect_shape("futures", futures, "n K 18 2")[axis] for axis in "nK")
    ends = torch.cat([now[None, None, :, :2].expand(n, 1, -1, -1), futures], 1)  # (n, K+1, 18, 2)
    at = torch.linspace(0, k, frames)
    low = at.floor().long().clamp(max=k - 1)
    places = ends[:, low].lerp(ends[:, low + 1], (at - low)[:, None, None])
    return torch.cat([places, now[:, 2:].expand(n, frames, -1, -1)], -1)


def paint_futures(state: State, now: Tensor, futures: Tensor, image: Tensor) -> Tensor:
    """Turn forecast poses into films: from the Pose-VAE's samples to pixels.

    Args:
        state: a trained Pose-GAN.
        now: the present pose, (18, 3), in pixels of the image.
        futures: n futures of step ends, (n, K, 18, 2), in pixels of the image.
        image: the present picture, (3, H, W) in [-1, 1]; of another size than the Pose-GAN's it is
            squeezed, and the poses with it.

    Returns:
        (n, 3, T, H, W) in [-1, 1].
    """
    frames, *size = state.settings.size
    expect_shape("image", image, "3 H W")
    poses = in_between(now, futures, frames)
    picture, poses = squeezed(image[None, :, None], poses, size)  # (1, 3, 1, H, W)
    return generate(state, poses, picture[:, :, 0].expand(len(futures), -1, -1, -1))


def foreground_error(film: Tensor, truth: Tensor, mask: Tensor) -> float:
    """The mean |film - truth| where the figure is.

    Args:
        film: (N, 3, T, H, W) in [-1, 1]. truth: likewise.
        mask: each pixel's weight, (N, 1, T, H, W) in [0, 1].

    Raises:
        ValueError: the shapes do not fit, or the mask is empty.
    """
    n, t, h, w = (expect_shape("film", film, "N 3 T H W")[axis] for axis in "NTHW")
    expect_shape("truth", truth, f"{n} 3 {t} {h} {w}")
    expect_shape("mask", mask, f"{n} 1 {t} {h} {w}")
    if not mask.any():
        raise ValueError("mask: expected a figure somewhere, got zeros")
    return (((film - truth).abs() * mask).sum() / (3 * mask.sum())).item()


def copy_first_frame(video: Tensor) -> Tensor:
    """The forecast that nothing moves: the first frame for ever, (N, 3, T, H, W)."""
    return video[:, :, :1].expand_as(video)
