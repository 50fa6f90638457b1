"""Each model's runs at each preset, what they learn from, and what they leave to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vidgen_lite import skeleton
from vidgen_lite.checks import expect_choice
from vidgen_lite.data.pose_clips import squeezed
from vidgen_lite.data.tracks import STEP, Tracks, make_tracks
from vidgen_lite.pose_futures import gan_presets, gan_steps, vae_steps
from vidgen_lite.pose_futures.gan_steps import GANSettings
from vidgen_lite.pose_futures.vae_samples import sample
from vidgen_lite.pose_futures.vae_steps import VAESettings
from vidgen_lite.training import State, to_float

if TYPE_CHECKING:
    from accelerate import Accelerator

Settings = VAESettings | GANSettings

LAPTOP = VAESettings(
    size=(64, 64),
    width=128,
    image_width=4,
    z_dim=8,
    kl_weight=0.02,
    pose_weight=1.0,
    bone_weight=16.0,
    n_tracks=6_000,
    batch_size=32,
    steps=2_000,
    decay=True,
)
VAE_MODELS: dict[str, VAESettings] = {
    "smoke": replace(LAPTOP, width=16, z_dim=4, n_tracks=40, batch_size=8, steps=12),
    "laptop": LAPTOP,
    "gpu": replace(LAPTOP, width=512, image_width=16, n_tracks=10_000, batch_size=64, steps=20_000),
    "paper": VAESettings(),
}
# The break-it lab: with a KL this heavy the posterior learns to say nothing.
COLLAPSED = {name: replace(s, kl_weight=3.0) for name, s in VAE_MODELS.items()}

MODELS: dict[str, dict[str, Any]] = {
    "vae": VAE_MODELS,
    "regressor": {name: replace(s, model="regressor") for name, s in VAE_MODELS.items()},
    "gan": gan_presets.GAN_MODELS,
}
DATA = ("mocap",)


def new_state(settings: Settings) -> State:
    """Make the networks and optimisers of a run of any of this lecture's models."""
    if isinstance(settings, GANSettings):
        return gan_steps.new_state(settings)
    return vae_steps.new_state(settings)


def load_data(settings: Settings, name: str = "mocap") -> Any:
    """Make what a model trains on: ``Tracks`` for the VAE, ``DrivenClips`` for the GAN.

    Args:
        settings: their size and number of tracks or films are what counts.
        name: ``mocap``, real motion performed by puppets, is the only data there is.

    Raises:
        ValueError: another name.
        FetchError: motion capture that can't be fetched.
    """
    expect_choice("--data", name, DATA)
    if isinstance(settings, GANSettings):
        return gan_presets.driven_clips(settings, split="train", seed=0, progress=True)
    return tracks_for(settings, "train", seed=0, progress=True)


def tracks_for(
    settings: VAESettings, split: str, *, seed: int, n: int | None = None, progress: bool = False
) -> Tracks:
    """Make tracks with pictures of the settings' size: painted on a square, squeezed to it.

    Args:
        settings: their size and number of tracks are what counts.
        split, seed, progress: see :func:`vidgen_lite.data.tracks.make_tracks`.
        n: how many, if not ``settings.n_tracks``.
    """
    n = settings.n_tracks if n is None else n
    tracks = make_tracks(n, seed=seed, split=split, size=max(settings.size), progress=progress)
    image, pose = squeezed(tracks.image[:, :, None], tracks.pose, settings.size)
    return replace(tracks, image=image[:, :, 0], pose=pose)


def train(
    state: State, data: Any, *, accelerator: Accelerator | None = None
) -> Iterator[dict[str, float]]:
    """Train a run of any of this lecture's models; see ``vae_steps.train``, ``gan_steps.train``."""
    if isinstance(state.settings, GANSettings):
        return gan_steps.train(state, data, accelerator=accelerator)
    return vae_steps.train(state, data, accelerator=accelerator)


def write_samples(state: State, data: Any, out: Path) -> None:
    """Write what a run makes of its data: a film and a filmstrip.

    The VAE: four pasts, each with its true future and three imagined ones. The GAN: eight films
    over the true ones.
    """
    from vidgen_lite.show import contact_sheet, write_film

    if isinstance(state.settings, GANSettings):
        some = data.subset(slice(0, 8))
        true = to_float(some.video)
        video = torch.cat([gan_steps.generate(state, some.pose, true[:, :, 0]), true])
    else:
        tracks = data.subset(slice(0, 4))
        samples = sample(state, tracks, 3)
        video = torch.cat([future_films(tracks, i, samples[i]) for i in range(len(tracks))])
    contact_sheet(out / "samples.png", video)
    write_film(out / "samples.mp4", video, columns=4)


def future_films(
    tracks: Tracks, i: int, samples: Tensor, *, true: bool = True, side: int = 64
) -> Tensor:
    """Draw one track's past and n futures as stick figures, the true future first.

    Args:
        tracks: where the past is from. i: which of them.
        samples: (n, 5, 18, 2) in pixels, what may happen next.
        true: whether the true future leads.
        side: height of the drawing in pixels.

    Returns:
        (n + 1 or n, 3, 22, side, width) in [-1, 1]: 16 frames a second, between step ends by
        straight lines.
    """
    past = tracks.past[i].expand(len(samples), -1, -1, -1)
    seen = past[:, -1:, :, 2:].expand(-1, samples.shape[1], -1, -1)
    ends = torch.cat([past, torch.cat([samples.to(past), seen], -1)], 1)  # (n, 8, 18, 3)
    if true:
        ends = torch.cat([tracks.step_ends[i][None], ends])
    height, width = tracks.image.shape[-2:]
    scale = side / height
    poses = between(ends, STEP) * ends.new_tensor([scale, scale, 1.0])
    return skeleton.draw(poses, height=side, width=round(width * scale)).transpose(1, 2)


def between(ends: Tensor, frames: int) -> Tensor:
    """Fill the frames between step ends by straight lines, as the authors do.

    Args:
        ends: (N, K + 1, 18, 2 or 3). frames: how many a step takes.

    Returns:
        (N, K frames + 1, 18, 2 or 3).
    """
    weight = torch.arange(frames)[:, None, None] / frames
    filled = ends[:, :-1, None].lerp(ends[:, 1:, None], weight.to(ends)).flatten(1, 2)
    return torch.cat([filled, ends[:, -1:]], 1)
