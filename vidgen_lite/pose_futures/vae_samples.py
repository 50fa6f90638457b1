"""What a trained Pose-VAE imagines for many tracks at once, and what its z carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vidgen_lite.pose_futures.vae import PoseVAE
from vidgen_lite.pose_futures.vae_parts import velocities
from vidgen_lite.pose_futures.vae_steps import gaussian_kl
from vidgen_lite.training import State

if TYPE_CHECKING:
    from vidgen_lite.data.tracks import Tracks


def sample(state: State, tracks: Tracks, n: int, *, seed: int = 0) -> Tensor:
    """Imagine n futures of every track; the regressor's n are all the same.

    Returns:
        (N, n, 5, 18, 2) in pixels, on the CPU; of one seed, more samples begin with the same ones.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (len(tracks), state.settings.z_dim)
    # A draw a sample, so that more samples begin with the same ones.
    z = torch.stack([torch.randn(shape, generator=generator) for _ in range(n)], 1)
    return _imagine(
        state, tracks, torch.zeros_like(z) if state.settings.model == "regressor" else z
    )


def mean_future(state: State, tracks: Tracks) -> Tensor:
    """The one future at z = 0, the prior's middle, of every track: (N, 5, 18, 2) in pixels."""
    return _imagine(state, tracks, torch.zeros(len(tracks), 1, state.settings.z_dim))[:, 0]


def _imagine(state: State, tracks: Tracks, z: Tensor) -> Tensor:
    network: PoseVAE = state.models["vae"]  # type: ignore[assignment]
    device = next(network.parameters()).device
    parts = zip(*(x.split(64) for x in (tracks.past, tracks.image, z)), strict=True)
    return torch.cat([network.imagine(*(x.to(device) for x in part)).cpu() for part in parts])


@torch.no_grad()
def posterior_kl(state: State, tracks: Tracks) -> Tensor:
    """The KL of every dimension of z, in nats, averaged over the tracks: (z_dim,)."""
    network: PoseVAE = state.models["vae"]  # type: ignore[assignment]
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    total = torch.zeros(state.settings.z_dim)
    for part in torch.arange(len(tracks)).split(128):
        past, future, image = (
            x[part].to(device) for x in (tracks.past, tracks.future, tracks.image)
        )
        steps = velocities(torch.cat([past[:, -1:], future], 1), size=state.settings.size)
        memory = network.encode_past(past, network.picture(past[:, -1], image))
        total += gaussian_kl(*network.posterior(memory, future, steps)).sum(0).cpu()
    network.train(training)
    return total / len(tracks)
