"""The Pose-VAE's losses and its training loop; the regressor is the same network without z."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vidgen_lite.checks import expect_choice, expect_number, expect_positive, expect_shape
from vidgen_lite.pose_futures.evaluate import bone_lengths
from vidgen_lite.pose_futures.vae import FORMS, PoseVAE
from vidgen_lite.pose_futures.vae_parts import Memory, Steps, velocities
from vidgen_lite.training import (
    State,
    average_gradients,
    average_record,
    make_accelerator,
    prepare,
    process_slice,
    step_generator,
)

if TYPE_CHECKING:
    from accelerate import Accelerator

    from vidgen_lite.data.tracks import Tracks

MODELS = ("vae", "regressor")


@dataclass(frozen=True)
class VAESettings:
    """All that decides a run; the defaults are the authors'.

    Attributes:
        model: ``vae``, or ``regressor``: the same network with z = 0, no Q and no KL.
        form: ``slides`` or ``code``, see :class:`PoseVAE`.
        size: (height, width) of the picture in pixels.
        width, image_width, z_dim: see :class:`PoseVAE`.
        kl_weight: of the KL of one example, which is summed over z. The authors weight a batch's
            sum with 2.5e-4, which is 8e-3 an example at their batch of 32 (and twice that from
            step 60,000 on).
        kl_warmup: over how many steps the weight grows from 0; not in the paper.
        pose_weight: of what the decoder does wrong on its own, with no teacher, see
            :func:`free_run_error`; not in the paper.
        bone_weight: what the limbs' lengths in imagined futures count in it.
        n_tracks: how many tracks to learn from.
        batch_size: tracks a step, over all processes.
        steps: how many steps a run takes.
        learning_rate: Adam's.
        decay: whether the learning rate falls to zero over the run (half a cosine).
        seed: of weights, codes and batches.
    """

    model: str = "vae"
    form: str = "slides"
    size: tuple[int, int] = (240, 320)
    width: int = 1024
    image_width: int = 32
    z_dim: int = 20
    kl_weight: float = 8e-3
    kl_warmup: int = 0
    pose_weight: float = 0.0
    bone_weight: float = 0.0
    n_tracks: int = 5_000
    batch_size: int = 32
    steps: int = 80_000
    learning_rate: float = 1e-3
    decay: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        expect_choice("model", self.model, MODELS)
        expect_choice("form", self.form, FORMS)
        for name in ("width", "image_width", "z_dim", "n_tracks", "batch_size", "steps"):
            expect_positive(name, getattr(self, name))
        for name in ("kl_weight", "kl_warmup", "pose_weight", "bone_weight"):
            expect_number(name, getattr(self, name), at_least=0)
        expect_number("learning_rate", self.learning_rate, above=0)


class VAELoss(NamedTuple):
    """What is minimised, term by term; ``total`` is their weighted sum. Scalars."""

    total: Tensor
    direction: Tensor
    magnitude: Tensor
    past: Tensor
    kl: Tensor
    pose: Tensor


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) of every dimension, in nats.

    Equation: eq:gaussian-kl

    Args:
        mean, log_variance: of the same shape, e.g. (B, z_dim).

    Returns:
        that shape; sum the last axis for the KL of a z.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def reparameterise(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """z = mean + sigma * noise: random, and yet mean and sigma get a gradient.

    Equation: eq:reparameterise

    Args:
        mean, log_variance: of Q, (B, z_dim).
        noise: from N(0, I), (B, z_dim).
    """
    return mean + (0.5 * log_variance).exp() * noise


def vae_objective(
    future: Steps,
    true_future: Steps,
    past: Steps,
    true_past: Steps,
    mean: Tensor,
    log_variance: Tensor,
    *,
    kl_weight: float,
    pose: Tensor | None = None,
    pose_weight: float = 0.0,
) -> VAELoss:
    """Rebuild the future and the past, and keep Q near N(0, I).

    Equation: eq:pose-vae

    Args:
        future, true_future: M steps, directions (B, M, 18, 2) and magnitudes (B, M, 2).
        past, true_past: K steps, the latest first.
        mean, log_variance: of Q, (B, z_dim).
        kl_weight: of the KL of one example, summed over z.
        pose: from :func:`free_run_error`; not in the paper.
        pose_weight: its weight.
    """
    direction = F.mse_loss(future.direction, true_future.direction)
    magnitude = F.mse_loss(future.magnitude, true_future.magnitude)
    replay = F.mse_loss(past.direction, true_past.direction)
    replay = replay + F.mse_loss(past.magnitude, true_past.magnitude)
    kl = gaussian_kl(mean, log_variance).sum(-1).mean()
    pose = torch.zeros_like(kl) if pose is None else pose
    total = direction + magnitude + replay + kl_weight * kl + pose_weight * pose
    return VAELoss(total, direction, magnitude, replay, kl, pose)


def new_state(settings: VAESettings) -> State:
    """Make the network and the optimiser of a run; the same seed gives the same weights."""
    torch.manual_seed(settings.seed)
    network = PoseVAE(
        width=settings.width,
        z_dim=settings.z_dim,
        form=settings.form,
        size=settings.size,
        image_width=settings.image_width,
    )
    optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)
    return State(f"pose_futures {settings.model}", {"vae": network}, {"vae": optimizer}, settings)


def forward_loss(
    state: State, past: Tensor, future: Tensor, picture: Tensor, noise: Tensor
) -> VAELoss:
    """Run all five parts on a batch and weigh the losses.

    Args:
        state: the run.
        past: (B, 3, 18, 3), step ends in pixels up to now. future: (B, 5, 18, 3), the others.
        picture: (B, 6, H, W) from :meth:`PoseVAE.picture`.
        noise: (B, z_dim) from N(0, I); not used by the regressor.
    """
    settings = state.settings
    network: PoseVAE = state.models["vae"]  # type: ignore[assignment]
    memory = network.encode_past(past, picture)
    starts = torch.cat([past[:, -1:], future[:, :-1]], 1)
    true_future = velocities(torch.cat([past[:, -1:], future], 1), size=settings.size)
    true_past = Steps(*(part.flip(1) for part in velocities(past, size=settings.size)))
    if settings.model == "regressor":
        z = mean = log_variance = torch.zeros_like(noise)
    else:
        mean, log_variance = network.posterior(memory, future, true_future)
        z = reparameterise(mean, log_variance, noise)
    # The noise is a code from the prior; the regressor knows one code only.
    prior = z if settings.model == "regressor" else noise
    pose = free_run_error(network, memory, z, prior, past[:, -1], future, settings)
    return vae_objective(
        network.decode(memory, z, starts),
        true_future,
        network.replay_past(memory),
        true_past,
        mean,
        log_variance,
        kl_weight=kl_weight(settings, state.step),
        pose=pose,
        pose_weight=settings.pose_weight,
    )


def free_run_error(
    network: PoseVAE,
    memory: Memory,
    z: Tensor,
    prior: Tensor,
    now: Tensor,
    future: Tensor,
    settings: VAESettings,
) -> Tensor | None:
    """What the decoder does wrong without a teacher; a scalar, in tenths of the picture.

    With Q's code the joints should arrive where they did; with a code from the prior the body may
    go anywhere, but its limbs should have the lengths that they had. The paper has neither.

    Args:
        z: of Q, (B, z_dim). prior: from N(0, I), likewise.
        now: (B, 18, 3), future: (B, M, 18, 3), true poses in pixels.
        settings: ``bone_weight`` says what the limbs count beside the joints.
    """
    if not settings.pose_weight:
        return None
    tenth = now.new_tensor(settings.size[::-1]) / 10
    true = future[..., :2] / tenth
    reached = network.decode_freely(memory, z, now).poses / tenth
    error = (reached - true).square().sum(-1).mean()
    if settings.bone_weight:
        imagined = network.decode_freely(memory, prior, now).poses / tenth
        error = error + settings.bone_weight * F.mse_loss(
            bone_lengths(imagined), bone_lengths(true)
        )
    return error


def kl_weight(settings: VAESettings, step: int) -> float:
    """The KL's weight at a step: it grows from 0 while the warm-up lasts."""
    return settings.kl_weight * min(1.0, (step + 1) / max(settings.kl_warmup, 1))


def learning_rate(settings: VAESettings, step: int) -> float:
    """The learning rate at a step: constant, or half a cosine down to zero."""
    turned = 0.5 * (1 + math.cos(math.pi * min(step / settings.steps, 1.0)))
    return settings.learning_rate * (turned if settings.decay else 1.0)


def vae_step(
    state: State,
    past: Tensor,
    future: Tensor,
    picture: Tensor,
    noise: Tensor,
    accelerator: Accelerator,
) -> dict[str, Tensor]:
    """One step of Adam on a batch; arguments as in :func:`forward_loss`."""
    optimizer = state.optimizers["vae"]
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(state.settings, state.step)
    with accelerator.autocast():
        loss = forward_loss(state, past, future, picture, noise)
    optimizer.zero_grad()
    accelerator.backward(loss.total)
    average_gradients(accelerator, state.models["vae"])
    optimizer.step()
    record = loss._asdict()
    if state.settings.model == "regressor":
        del record["kl"]
    if not state.settings.pose_weight:
        del record["pose"]
    return record


def train(
    state: State, tracks: Tracks, *, accelerator: Accelerator | None = None
) -> Iterator[dict[str, float]]:
    """Train until ``settings.steps`` and yield one record of named losses a step.

    Args:
        state: from :func:`new_state`, or resumed from a checkpoint.
        tracks: the data, with pictures of the settings' size.
        accelerator: device, precision and processes; made anew if not given.

    Raises:
        ValueError: the pictures are not of the settings' size.
    """
    settings = state.settings
    height, width = settings.size
    n = expect_shape("tracks.image", tracks.image, f"N 3 {height} {width}")["N"]
    accelerator = accelerator or make_accelerator()
    prepare(state, accelerator)
    network: PoseVAE = state.models["vae"]  # type: ignore[assignment]
    network.train()
    share = process_slice(accelerator, settings.batch_size)
    past, future = tracks.past, tracks.future
    with torch.no_grad():  # drawn once, not at every step; half floats are fine enough
        parts = zip(past[:, -1].split(256), tracks.image.split(256), strict=True)
        picture = torch.cat([network.picture(*part).half() for part in parts])
    while state.step < settings.steps:
        random = step_generator(settings.seed, state.step)
        index = torch.randint(n, (settings.batch_size,), generator=random)[share]
        noise = torch.randn(settings.batch_size, settings.z_dim, generator=random)[share]
        batch = (past[index], future[index], picture[index].float(), noise)
        past_now, future_now, *seen = (part.to(accelerator.device) for part in batch)
        record = vae_step(state, past_now, future_now, seen[0], seen[1], accelerator)
        state.step += 1
        yield {"step": state.step, **average_record(accelerator, record)}
