"""The losses, one step of each player, and the loop that yields a record a step."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from vidgen_lite.checks import (
    expect_choice,
    expect_number,
    expect_positive,
    expect_range,
    expect_shape,
)
from vidgen_lite.gan_objective import (
    DiscriminatorLoss,
    discriminator_loss,
    generator_loss,
    r1_penalty,
)
from vidgen_lite.scene_dynamics.networks import (
    NORMS,
    GeneratedVideo,
    ImageToVideoGenerator,
    OneStreamGenerator,
    VideoDiscriminator,
    VideoGenerator,
)
from vidgen_lite.training import (
    State,
    average_gradients,
    average_record,
    frozen,
    make_accelerator,
    prepare,
    process_slice,
    step_generator,
    to_float,
    update_average,
)
from vidgen_lite.weights import channels_last, initialise, initialise_by_fan_in

if TYPE_CHECKING:
    from accelerate import Accelerator

MODELS = ("two-stream", "one-stream", "conditional")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The choices of one run. The defaults are the paper's, as its code sets them.

    Attributes:
        model: ``two-stream``, ``one-stream`` or ``conditional``.
        size: pixels a side; a clip has size / 2 frames.
        width: channels of G's last hidden level (and of D's first).
        z_dim: length of the code.
        norm: D's normalisation: ``batch`` as published, ``none`` or ``spectral``.
        batch_statistics: whether D sees how much the clips of a batch differ.
        r1_weight: weight of the gradient penalty on real clips, 0 for none.
        r1_every: the penalty is computed every so many steps, and weighted up accordingly.
        average_decay: how slowly the averaged generator follows, 0 for no average.
        mask_penalty: lambda, the weight of the mask's mean.
        mask_start: the mask's value before training. Above 1/2 the foreground draws nearly all at
            first and the penalty hands what stays still over to the background; at 1/2 the
            background, which learns faster, may paint the puppets too.
        first_frame: weight of |first frame - image|, conditional model only.
        all_frames: weight of |video - clip|, conditional model only; not in the paper.
        n_clips: how many puppet clips to learn from, where puppets are the data.
        batch_size: clips a step, over all processes.
        steps: how many steps a run takes.
        learning_rate: Adam's, for both players.
        beta1: Adam's first momentum.
        seed: of weights, codes and batches.
    """

    model: str = "two-stream"
    size: int = 64
    width: int = 64
    z_dim: int = 100
    norm: str = "batch"
    batch_statistics: bool = False
    r1_weight: float = 0.0
    r1_every: int = 1
    average_decay: float = 0.0
    mask_penalty: float = 0.1
    mask_start: float = 0.5
    first_frame: float = 10.0
    all_frames: float = 0.0
    n_clips: int = 1_500
    batch_size: int = 64
    steps: int = 65_000
    learning_rate: float = 2e-4
    beta1: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        expect_choice("model", self.model, MODELS)
        expect_choice("norm", self.norm, NORMS)
        for name in ("width", "z_dim", "r1_every", "n_clips", "batch_size", "steps"):
            expect_positive(name, getattr(self, name))
        for name in ("r1_weight", "mask_penalty", "first_frame", "all_frames"):
            expect_number(name, getattr(self, name), at_least=0)
        for name in ("average_decay", "beta1"):
            expect_number(name, getattr(self, name), at_least=0, below=1)
        expect_number("mask_start", self.mask_start, above=0, below=1)
        expect_number("learning_rate", self.learning_rate, above=0)
        if self.norm == "batch" and self.r1_weight:
            raise ValueError(
                f"r1_weight: expected 0 with norm='batch', got {self.r1_weight!r}: batch norm "
                "makes every logit depend on all clips: none has a gradient of its own"
            )


class GeneratorLoss(NamedTuple):
    """What the generator minimises, term by term; ``total`` is their sum. Scalars."""

    total: Tensor
    adversarial: Tensor
    mask: Tensor
    first_frame: Tensor
    all_frames: Tensor


def mask_sparsity(mask: Tensor) -> Tensor:
    """The mean of the mask: how much of the clip the foreground claims (paper section 3.2).

    The penalty of lambda = 0.1 times this mean is what the authors' code computes.

    Equation: eq:mask-sparsity

    Args:
        mask: m, (B, 1, T, H, W) in [0, 1].
    """
    expect_shape("mask", mask, "B 1 T H W")
    return mask.abs().mean()


def first_frame_loss(video: Tensor, image: Tensor) -> Tensor:
    """How far the first frame is from the picture that was given (paper section 3.5).

    Equation: eq:first-frame

    Args:
        video: (B, 3, T, H, W).
        image: (B, 3, H, W).
    """
    n = expect_shape("video", video, "B 3 T H W")
    expect_shape("image", image, f"{n['B']} 3 {n['H']} {n['W']}")
    return (video[:, :, 0] - image).abs().mean()


def generator_objective(
    fake: GeneratedVideo, fake_logits: Tensor, real: Tensor, settings: Settings
) -> GeneratorLoss:
    """The generator's loss: fool D, keep the mask small, and start where the image is.

    Equation: eq:vgan-generator

    Args:
        fake: the generated clips.
        fake_logits: D's logits on them, (B,).
        real: the real clips whose first frames were given, (B, 3, T, H, W); used by the
            conditional model only.
        settings: the weights.
    """
    adversarial = generator_loss(fake_logits, kind="non_saturating")
    zero = adversarial.new_zeros(())
    conditional = settings.model == "conditional"
    # The authors' conditional code has no mask penalty.
    mask = zero if conditional or fake.mask is None else mask_sparsity(fake.mask)
    first = first_frame_loss(fake.video, real[:, :, 0]) if conditional else zero
    every = (fake.video - real).abs().mean() if conditional and settings.all_frames else zero
    total = (
        adversarial
        + settings.mask_penalty * mask
        + settings.first_frame * first
        + settings.all_frames * every
    )
    return GeneratorLoss(total, adversarial, mask, first, every)


def new_state(settings: Settings) -> State:
    """Make the networks and optimisers of a run; the same seed gives the same weights."""
    torch.manual_seed(settings.seed)
    shape = {"width": settings.width, "size": settings.size}
    generator: VideoGenerator | OneStreamGenerator | ImageToVideoGenerator
    if settings.model == "conditional":
        generator = ImageToVideoGenerator(**shape)
    elif settings.model == "one-stream":
        generator = OneStreamGenerator(**shape, z_dim=settings.z_dim)
    else:
        generator = VideoGenerator(**shape, z_dim=settings.z_dim)
    discriminator = VideoDiscriminator(
        size=settings.size,
        width=settings.width * (2 if settings.model == "conditional" else 1),
        norm=settings.norm,
        batch_statistics=settings.batch_statistics,
    )
    initialise(generator)
    if not isinstance(generator, OneStreamGenerator):
        head: Any = generator.mask[0]
        nn.init.constant_(head.bias, math.log(settings.mask_start / (1 - settings.mask_start)))
    if settings.norm == "batch":
        initialise(discriminator)
    else:  # without batch norm, N(0, 0.01) would fade to nothing within a few levels
        initialise_by_fan_in(discriminator)
    models: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
    for model in models.values():
        channels_last(model)
    if settings.average_decay:
        models["average"] = copy.deepcopy(generator).requires_grad_(False)
    optimizers = {
        name: torch.optim.Adam(
            models[name].parameters(), settings.learning_rate, (settings.beta1, 0.999)
        )
        for name in ("generator", "discriminator")
    }
    return State(f"scene_dynamics {settings.model}", models, optimizers, settings)


def discriminator_step(
    state: State, real: Tensor, code: Tensor, accelerator: Accelerator
) -> dict[str, Tensor]:
    """Teach D to tell real clips from generated ones; G is not touched."""
    settings, discriminator = state.settings, state.models["discriminator"]
    with accelerator.autocast():
        with torch.no_grad():  # D's loss must not reach G
            fake = state.models["generator"](code).video
        loss: DiscriminatorLoss = discriminator_loss(
            discriminator(real), discriminator(fake), kind="non_saturating"
        )
    total, record = loss.total, {"d_real": loss.real, "d_fake": loss.fake}
    if settings.r1_weight and state.step % settings.r1_every == 0:
        clips = real.detach().requires_grad_()
        penalty = r1_penalty(discriminator(clips), clips)  # in float32: a gradient's square
        total = total + settings.r1_every * settings.r1_weight / 2 * penalty
    state.optimizers["discriminator"].zero_grad()
    accelerator.backward(total)
    average_gradients(accelerator, discriminator)
    state.optimizers["discriminator"].step()
    return record


def generator_step(
    state: State, real: Tensor, code: Tensor, accelerator: Accelerator
) -> dict[str, Tensor]:
    """Teach G to pass for real; D judges and stays as it is."""
    settings, generator = state.settings, state.models["generator"]
    with frozen(state.models["discriminator"]), accelerator.autocast():
        fake: GeneratedVideo = generator(code)
        loss = generator_objective(fake, state.models["discriminator"](fake.video), real, settings)
        state.optimizers["generator"].zero_grad()
        accelerator.backward(loss.total)
    average_gradients(accelerator, generator)
    state.optimizers["generator"].step()
    if settings.average_decay:
        # Early on a shorter memory, so that the average forgets the untrained weights.
        decay = min(settings.average_decay, (1 + state.step) / (10 + state.step))
        update_average(state.models["average"], generator, decay)
    record = {"g_adversarial": loss.adversarial}
    if settings.model == "conditional":
        record["g_first_frame"] = loss.first_frame
    elif fake.mask is not None:
        record["g_mask"] = loss.mask
    return record


def train(
    state: State, clips: Tensor, *, accelerator: Accelerator | None = None
) -> Iterator[dict[str, float]]:
    """Train until ``settings.steps`` and yield one record of named losses a step.

    Args:
        state: from :func:`new_state`, or resumed from a checkpoint.
        clips: the data, (N, 3, T, H, W), float in [-1, 1] or uint8.
        accelerator: device, precision and processes; made anew if not given.

    Raises:
        TypeError: the clips are whole numbers other than uint8.
        ValueError: the clips are not of the settings' size, there are none, or they leave [-1, 1].
    """
    settings = state.settings
    t, size = settings.size // 2, settings.size
    n = expect_shape("clips", clips, f"N 3 {t} {size} {size}")["N"]
    if n == 0:
        raise ValueError("clips: expected at least one, got none")
    if clips.is_floating_point():
        expect_range("clips", clips, -1, 1)
    elif clips.dtype != torch.uint8:
        raise TypeError(f"clips: expected floats in [-1, 1] or uint8, got {clips.dtype}")
    accelerator = accelerator or make_accelerator()
    prepare(state, accelerator)
    share = process_slice(accelerator, settings.batch_size)
    while state.step < settings.steps:
        record: dict[str, Tensor] = {}
        random = step_generator(settings.seed, state.step)
        index = torch.randint(n, (settings.batch_size,), generator=random)[share]
        real = to_float(clips[index]).to(accelerator.device)
        real = real.contiguous(memory_format=torch.channels_last_3d)
        for step in (discriminator_step, generator_step):
            code = torch.randn(settings.batch_size, settings.z_dim, generator=random)[share]
            given = real[:, :, 0] if settings.model == "conditional" else code
            record |= step(state, real, given.to(accelerator.device), accelerator)
        state.step += 1
        yield {"step": state.step, **average_record(accelerator, record)}


@torch.no_grad()
def sample(state: State, code: Tensor) -> GeneratedVideo:
    """Generate with the averaged weights where there are any, else with G's own.

    Args:
        state: a trained run.
        code: z (B, z_dim), or the images (B, 3, H, W) of the conditional model.
    """
    generator = state.models.get("average", state.models["generator"])
    device = next(generator.parameters()).device
    training = generator.training
    generator.eval()  # batch norm's running means, so that a clip does not depend on its batch
    try:
        return generator(code.to(device))
    finally:
        generator.train(training)
