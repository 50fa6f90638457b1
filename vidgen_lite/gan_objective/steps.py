"""One step of each player, and the loop that yields a record a step.

Nothing here knows that the samples are points of the plane. The steps train any differentiable pair
on any data that can be sampled; the notebook gives them pictures, and a generator of six numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from vidgen_lite.checks import expect_choice, expect_number, expect_positive
from vidgen_lite.gan_objective.losses import KINDS, discriminator_loss, generator_loss, r1_penalty
from vidgen_lite.gan_objective.plane import Discriminator2D, Generator2D, Mixture, ring
from vidgen_lite.training import (
    State,
    average_gradients,
    average_record,
    frozen,
    make_accelerator,
    prepare,
    process_slice,
    seed_everything,
    step_generator,
    update_average,
)

if TYPE_CHECKING:
    from accelerate import Accelerator


class Data(Protocol):
    """Whatever can be sampled: n samples, (n, ...), from the given random numbers."""

    def sample(self, n: int, random: torch.Generator) -> Tensor: ...


@dataclass(frozen=True)
class Settings:
    """The choices of one run.

    Attributes:
        kind: the losses, one of ``KINDS``.
        n_modes: Gaussians on the ring of :func:`load_data`.
        z_dim: length of the noise, a standard normal.
        width: hidden units a layer.
        batch_statistics: whether D sees how much the points of a batch differ.
        r1_weight: gamma, the weight of the gradient penalty at the data; 0 for none.
        average_decay: how slowly the averaged generator follows.
        batch_size: real and generated samples a step each, over all processes.
        steps: how many steps a run takes.
        discriminator_steps: steps of D before each step of G.
        generator_rate: G's learning rate (Adam).
        discriminator_rate: D's learning rate (Adam).
        beta1: Adam's first momentum, for both.
        seed: of weights, noise and batches.
    """

    kind: str = "non_saturating"
    n_modes: int = 8
    z_dim: int = 2
    width: int = 64
    batch_statistics: bool = False
    r1_weight: float = 0.0
    average_decay: float = 0.99
    batch_size: int = 256
    steps: int = 2500
    discriminator_steps: int = 1
    generator_rate: float = 2e-3
    discriminator_rate: float = 2e-3
    beta1: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        expect_choice("kind", self.kind, KINDS)
        for name in ("n_modes", "z_dim", "width", "batch_size", "steps", "discriminator_steps"):
            expect_positive(name, getattr(self, name))
        for name in ("generator_rate", "discriminator_rate"):
            expect_number(name, getattr(self, name), above=0)
        for name in ("average_decay", "beta1"):
            expect_number(name, getattr(self, name), at_least=0, below=1)
        expect_number("r1_weight", self.r1_weight, at_least=0)


# No paper trains this toy: here, ``paper`` only has more time than ``gpu``.
MODELS: dict[str, dict[str, Settings]] = {
    "ring": {
        "smoke": Settings(steps=600),
        "laptop": Settings(),
        "gpu": Settings(steps=10_000, width=128),
        "paper": Settings(steps=30_000, width=128),
    }
}
DATA = ("ring",)


def load_data(settings: Settings, name: str | None = None) -> Mixture:
    """The run's data: Gaussians on a ring, from which any number of points can be drawn.

    Raises:
        ValueError: ``name`` is another word than ``ring``.
    """
    expect_choice("data", name or "ring", DATA)
    return ring(settings.n_modes)


def new_state(
    settings: Settings,
    *,
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
) -> State:
    """Make the networks and optimisers of a run; the same seed gives the same weights.

    Args:
        settings: the choices.
        generator: any differentiable map of noise (B, z_dim) to samples (B, ...); as a rule the
            MLP of :class:`Generator2D`.
        discriminator: any differentiable map of samples to logits; as a rule the MLP of
            :class:`Discriminator2D`.
    """
    seed_everything(settings.seed)
    models = {
        "generator": generator or Generator2D(z_dim=settings.z_dim, width=settings.width),
        "discriminator": discriminator
        or Discriminator2D(width=settings.width, batch_statistics=settings.batch_statistics),
    }
    rates = {"generator": settings.generator_rate, "discriminator": settings.discriminator_rate}
    optimizers = {
        name: torch.optim.Adam(model.parameters(), rates[name], (settings.beta1, 0.999))
        for name, model in models.items()
    }
    pair = " and ".join(type(model).__name__ for model in models.values())
    models["average"] = copy.deepcopy(models["generator"]).requires_grad_(False)
    return State(f"gan_objective {pair}", models, optimizers, settings)


def discriminator_step(
    state: State, real: Tensor, z: Tensor, accelerator: Accelerator
) -> dict[str, Tensor]:
    """Teach D to tell real samples from generated ones; G is not touched."""
    settings, discriminator = state.settings, state.models["discriminator"]
    fake = state.models["generator"](z).detach()  # D's loss must not reach G
    real = real.detach().requires_grad_(settings.r1_weight > 0)
    real_logits = discriminator(real)
    loss = discriminator_loss(real_logits, discriminator(fake), kind=settings.kind)
    total, record = loss.total, {"d_real": loss.real, "d_fake": loss.fake}
    if settings.r1_weight:
        record["d_r1"] = r1_penalty(real_logits, real)
        total = total + settings.r1_weight / 2 * record["d_r1"]
    state.optimizers["discriminator"].zero_grad()
    accelerator.backward(total)
    average_gradients(accelerator, discriminator)
    state.optimizers["discriminator"].step()
    return record


def generator_step(state: State, z: Tensor, accelerator: Accelerator) -> dict[str, Tensor]:
    """Teach G to pass for real; D judges and stays as it is."""
    settings, generator = state.settings, state.models["generator"]
    with frozen(state.models["discriminator"]):
        loss = generator_loss(state.models["discriminator"](generator(z)), kind=settings.kind)
        state.optimizers["generator"].zero_grad()
        accelerator.backward(loss)
    average_gradients(accelerator, generator)
    state.optimizers["generator"].step()
    update_average(state.models["average"], generator, settings.average_decay)
    return {"g": loss}


def train(
    state: State, data: Data, *, accelerator: Accelerator | None = None
) -> Iterator[dict[str, float]]:
    """Train until ``settings.steps`` and yield one record of named losses a step.

    Everything is computed in float32: the modes are narrow, and there is nothing to save.

    Args:
        state: from :func:`new_state`, or resumed from a checkpoint.
        data: what G is to imitate, e.g. :func:`ring`.
        accelerator: device and processes; made anew if not given.

    Raises:
        ValueError: the batch can't be shared evenly by the processes.
    """
    settings = state.settings
    accelerator = accelerator or make_accelerator("no")
    prepare(state, accelerator)
    share = process_slice(accelerator, settings.batch_size)
    while state.step < settings.steps:
        random = step_generator(settings.seed, state.step)
        for _ in range(settings.discriminator_steps):
            real = data.sample(settings.batch_size, random)[share].to(accelerator.device)
            z = noise(settings, settings.batch_size, random)[share].to(accelerator.device)
            record = discriminator_step(state, real, z, accelerator)
        z = noise(settings, settings.batch_size, random)[share].to(accelerator.device)
        record |= generator_step(state, z, accelerator)
        state.step += 1
        yield {"step": state.step, **average_record(accelerator, record)}


def noise(settings: Settings, n: int, random: torch.Generator) -> Tensor:
    """Draw n times the noise that G starts from, (n, z_dim)."""
    return torch.randn(n, settings.z_dim, generator=random)


@torch.no_grad()
def sample(state: State, n: int, *, seed: int = 0, model: str = "average") -> Tensor:
    """Draw n samples (n, ...) from the averaged generator, or from ``model="generator"`` itself."""
    expect_choice("model", model, ("average", "generator"))
    generator = state.models[model]
    z = noise(state.settings, n, torch.Generator().manual_seed(seed))
    return generator(z.to(next(generator.parameters()).device)).cpu()


def write_samples(state: State, data: Data, out: Path) -> None:
    """Draw the run's data and samples into ``out/samples.png``."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4, 4), layout="constrained")
    real = data.sample(2000, torch.Generator().manual_seed(0))
    for points, name in ((real, "data"), (sample(state, 2000), "generated")):
        axes.plot(points[:, 0], points[:, 1], ".", markersize=2, alpha=0.5, label=name)
    axes.set_aspect("equal")
    axes.legend()
    figure.savefig(out / "samples.png", dpi=100)
    plt.close(figure)
