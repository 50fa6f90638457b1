"""The Pose-GAN's losses, one step of each player, the loop, and films from a trained generator."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from vidgen_lite import skeleton
from vidgen_lite.checks import expect_choice, expect_number, expect_positive, expect_shape
from vidgen_lite.gan_objective import (
    DiscriminatorLoss,
    discriminator_loss,
    generator_loss,
    r1_penalty,
)
from vidgen_lite.pose_futures.gan import (
    GENERATORS,
    NORMS,
    FrameGenerator,
    PoseGenerator,
    PoseVideoDiscriminator,
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

    from vidgen_lite.pose_futures.gan_presets import DrivenClips


CHANGE = 0.1  # a pixel that differs by more, of 2 from black to white, has changed


@dataclasses.dataclass(frozen=True)
class GANSettings:
    """The choices of one run. The defaults are the authors' code's.

    Attributes:
        size: frames, height and width of a film, each a multiple of 16.
        generator: ``film``, the published one, or ``frames``, which learns in minutes.
        width: channels of G's first level.
        discriminator_width: channels of D's first level.
        dropout: in the published G, on the way up.
        bottleneck_norm: see :class:`PoseGenerator`.
        conditional: whether D sees the skeletons and the first frame too.
        norm: D's normalisation, ``batch`` as published or ``none``.
        alpha: weight of the mean |G - V|. At 0 nothing but D teaches G.
        moving: how much more a pixel counts in |G - V| where the real film differs from its first
            frame. Not in the paper, whose 0 it is by default: most of a film stands still, and
            the figure is a small part of the mean.
        mask_weight: of the mean of the mask, with ``frames``: what need not be painted is not.
        warmup: for so many of the steps G learns from the difference of pixels alone, and D not at
            all. Not in the paper.
        warmup_frames: frames a step of the warm-up, each of another film, over all processes.
        adversarial: weight of the adversarial term, 1 as published. At 0 there is no game left:
            D is trained and not listened to.
        halves: the slide's way: of a batch, D sees the first half as real films and G's versions
            of the second half. Without it, as in the code: D sees the whole batch both ways.
        r1_weight: weight of the gradient penalty on real films, 0 for none.
        r1_every: the penalty is computed every so many steps, and weighted up accordingly.
        average_decay: how slowly the averaged generator follows, 0 for no average.
        n_clips: how many puppet films to learn from, where puppets are the data.
        batch_size: films a step, over all processes.
        steps: how many steps a run takes.
        learning_rate: Adam's for G. discriminator_rate: for D.
        decay: whether both rates fall to zero over the warm-up and again over the game (half a
            cosine each).
        beta1: Adam's first momentum.
        seed: of weights and batches.
    """

    size: tuple[int, int, int] = (32, 64, 80)
    generator: str = "film"
    width: int = 32
    discriminator_width: int = 128
    dropout: float = 0.5
    bottleneck_norm: bool = True
    conditional: bool = False
    norm: str = "batch"
    alpha: float = 1000.0
    moving: float = 0.0
    mask_weight: float = 0.0
    warmup: int = 0
    warmup_frames: int = 8
    adversarial: float = 1.0
    halves: bool = False
    r1_weight: float = 0.0
    r1_every: int = 1
    average_decay: float = 0.0
    n_clips: int = 2_000
    batch_size: int = 16
    steps: int = 500_000
    learning_rate: float = 2e-4
    discriminator_rate: float = 2e-4
    decay: bool = False
    beta1: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        expect_choice("generator", self.generator, GENERATORS)
        expect_choice("norm", self.norm, NORMS)
        for name in (
            "width", "discriminator_width", "r1_every", "n_clips", "warmup_frames", "batch_size",
            "steps",
        ):  # fmt: skip
            expect_positive(name, getattr(self, name))
        if self.warmup:
            expect_positive("warmup", self.warmup)
            if self.generator == "film":
                told = f"warmup: expected 0 with generator='film', got {self.warmup}"
                raise ValueError(f"{told}: it can't paint a frame by itself")
        for name in ("alpha", "moving", "mask_weight", "adversarial", "r1_weight"):
            expect_number(name, getattr(self, name), at_least=0)
        for name in ("dropout", "average_decay", "beta1"):
            expect_number(name, getattr(self, name), at_least=0, below=1)
        for name in ("learning_rate", "discriminator_rate"):
            expect_number(name, getattr(self, name), above=0)
        if self.norm == "batch" and self.r1_weight:
            raise ValueError(
                f"r1_weight: expected 0 with norm='batch', got {self.r1_weight!r}: batch norm "
                "makes every logit depend on all films: none has a gradient of its own"
            )
        if self.halves and self.batch_size % 2:
            raise ValueError(f"batch_size: expected an even number to halve, got {self.batch_size}")


class PoseGANLoss(NamedTuple):
    """What the generator minimises, term by term; ``total`` is the weighted sum. Scalars."""

    total: Tensor
    adversarial: Tensor
    reconstruction: Tensor


class Batch(NamedTuple):
    """Real films (B, 3, T, H, W), their skeletons (likewise), their first frames (B, 3, H, W).

    ``figure`` is the skeletons as G reads them, from :func:`draw_figures`. In the warm-up a film is
    one frame of another film, T = 1.
    """

    video: Tensor
    skeleton: Tensor
    image: Tensor
    figure: Tensor


def generator_objective(
    fake: Tensor, fake_logits: Tensor, real: Tensor, settings: GANSettings
) -> PoseGANLoss:
    """The generator's loss: pass for real, and come out like the film the skeletons came from.

    The slide's sums over half a batch are means here, so that alpha does not depend on its size.

    Equation: eq:pose-gan-generator

    Args:
        fake: G's films, (B, 3, T, H, W).
        fake_logits: D's logits on them, (B,).
        real: the films whose skeletons and first frames G was given, (B, 3, T, H, W).
        settings: the weights.

    Raises:
        ValueError: the films are not of one shape.
    """
    expect_shape("fake", fake, "B 3 T H W")
    expect_shape("real", real, " ".join(map(str, fake.shape)))
    adversarial = generator_loss(fake_logits, kind="non_saturating")
    reconstruction = reconstruction_loss(fake, real, real[:, :, 0], settings.moving)
    total = settings.adversarial * adversarial + settings.alpha * reconstruction
    return PoseGANLoss(total, adversarial, reconstruction)


def reconstruction_loss(fake: Tensor, real: Tensor, image: Tensor, moving: float) -> Tensor:
    """The mean |G - V|, in which pixels that move may count more.

    A pixel counts 1 + ``moving`` times where the real film differs from its first frame. The
    weights of a batch are scaled to a mean of 1, so that alpha means what it meant.

    Args:
        fake, real: films, (B, 3, T, H, W).
        image: the first frames, (B, 3, H, W).
        moving: 0 for the plain mean.
    """
    change = (real - image.unsqueeze(2)).abs().amax(1, keepdim=True)
    weights = 1 + moving * (change > CHANGE).to(real.dtype)  # (B, 1, T, H, W)
    return ((fake - real).abs() * (weights / weights.mean())).mean()


def discriminator_objective(real_logits: Tensor, fake_logits: Tensor) -> DiscriminatorLoss:
    """The discriminator's loss: call films real and G's films made. Means over each group.

    Equation: eq:pose-gan-discriminator

    Args:
        real_logits: D's logits on real films, (B,).
        fake_logits: its logits on G's films, detached from G, (B,).
    """
    return discriminator_loss(real_logits, fake_logits, kind="non_saturating")


def new_state(settings: GANSettings) -> State:
    """Make the networks and optimisers of a run; the same seed gives the same weights."""
    torch.manual_seed(settings.seed)
    generator = new_generator(settings)
    discriminator = PoseVideoDiscriminator(
        width=settings.discriminator_width,
        size=settings.size,
        conditional=settings.conditional,
        norm=settings.norm,
    )
    if settings.generator == "film":
        initialise(generator)
    else:
        initialise_by_fan_in(generator)
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
            models[name].parameters(), learning_rate(settings, name, 0), (settings.beta1, 0.999)
        )
        for name in ("generator", "discriminator")
    }
    return State("pose_futures gan", models, optimizers, settings)


def new_generator(settings: GANSettings) -> PoseGenerator | FrameGenerator:
    """The generator that the settings ask for, on whatever device is in force."""
    if settings.generator == "frames":
        return FrameGenerator(width=settings.width, size=settings.size)
    return PoseGenerator(
        width=settings.width,
        size=settings.size,
        dropout=settings.dropout,
        bottleneck_norm=settings.bottleneck_norm,
    )


def learning_rate(settings: GANSettings, model: str, step: int) -> float:
    """Adam's learning rate for ``generator`` or ``discriminator`` at a step, counted from 0."""
    rate = settings.learning_rate if model == "generator" else settings.discriminator_rate
    start = settings.warmup if step >= settings.warmup else 0  # of the phase: warm-up or game
    end = settings.steps if step >= settings.warmup else settings.warmup
    turned = 0.5 * (1 + math.cos(math.pi * min((step - start) / max(end - start, 1), 1.0)))
    return rate * (turned if settings.decay else 1.0)


def split_batch(batch: Batch, settings: GANSettings) -> tuple[Batch, Batch]:
    """Say which films D sees as real and which G makes anew: two halves, or all of them twice."""
    if not settings.halves:
        return batch, batch
    half = len(batch.video) // 2
    return Batch(*(part[:half] for part in batch)), Batch(*(part[half:] for part in batch))


def discriminator_step(
    state: State, real: Batch, given: Batch, fake: Tensor, accelerator: Accelerator
) -> dict[str, Tensor]:
    """Teach D to tell real films from G's; G is not touched.

    Args:
        state: the run.
        real: the films D is to call real.
        given: what G was given.
        fake: what G made of it; detached here, so that D's loss does not reach G.
        accelerator: precision and processes.
    """
    settings, discriminator = state.settings, state.models["discriminator"]
    with accelerator.autocast():
        loss = discriminator_objective(
            discriminator(real.video, real.skeleton, real.image),
            discriminator(fake.detach(), given.skeleton, given.image),
        )
    total = loss.total
    if settings.r1_weight and state.step % settings.r1_every == 0:
        films = real.video.detach().requires_grad_()
        # In float32: a gradient's square.
        penalty = r1_penalty(discriminator(films, real.skeleton, real.image), films)
        total = total + settings.r1_every * settings.r1_weight / 2 * penalty
    state.optimizers["discriminator"].zero_grad()
    accelerator.backward(total)
    average_gradients(accelerator, discriminator)
    state.optimizers["discriminator"].step()
    return {"d_real": loss.real, "d_fake": loss.fake}


def generator_step(
    state: State, given: Batch, fake: Tensor, accelerator: Accelerator
) -> dict[str, Tensor]:
    """Teach G with the same films that D has just judged; D judges again and stays as it is."""
    settings = state.settings
    with frozen(state.models["discriminator"]), accelerator.autocast():
        logits = state.models["discriminator"](fake, given.skeleton, given.image)
        loss = generator_objective(fake, logits, given.video, settings)
        descend(state, loss.total, accelerator)
    return {"g_adversarial": loss.adversarial, "g_l1": loss.reconstruction}


def warmup_step(
    state: State, given: Batch, fake: Tensor, accelerator: Accelerator
) -> dict[str, Tensor]:
    """Teach G by the difference of pixels alone, before the game begins; D waits."""
    settings = state.settings
    with accelerator.autocast():
        loss = reconstruction_loss(fake, given.video, given.image, settings.moving)
    descend(state, settings.alpha * loss, accelerator)
    return {"g_l1": loss.detach()}


def descend(state: State, loss: Tensor, accelerator: Accelerator) -> None:
    """One step of G's weights, and of their average, down a loss and the price of the mask."""
    settings, generator = state.settings, state.models["generator"]
    mask = getattr(generator, "mask", None)
    if mask is not None:
        loss = loss + settings.mask_weight * mask.float().mean()
    state.optimizers["generator"].zero_grad()
    accelerator.backward(loss)
    average_gradients(accelerator, generator)
    state.optimizers["generator"].step()
    if settings.average_decay:
        # The average starts short and grows longer, so that the first weights are forgotten.
        decay = min(settings.average_decay, (1 + state.step) / (10 + state.step))
        update_average(state.models["average"], generator, decay)


def train(
    state: State, clips: DrivenClips, *, accelerator: Accelerator | None = None
) -> Iterator[dict[str, float]]:
    """Train until ``settings.steps`` and yield one record of named losses a step.

    Args:
        state: from :func:`new_state`, or resumed from a checkpoint.
        clips: films and their skeletons.
        accelerator: device, precision and processes; made anew if not given.

    Raises:
        ValueError: the films are not of the settings' size.
    """
    settings = state.settings
    t, h, w = settings.size
    n = expect_shape("clips.video", clips.video, f"N 3 {t} {h} {w}")["N"]
    accelerator = accelerator or make_accelerator()
    prepare(state, accelerator)
    films = process_slice(accelerator, settings.batch_size)
    frames = process_slice(accelerator, settings.warmup_frames)
    generator: Any = state.models["generator"]
    while state.step < settings.steps:
        alone = state.step < settings.warmup
        random = step_generator(settings.seed, state.step)
        count = settings.warmup_frames if alone else settings.batch_size
        index = torch.randint(n, (count,), generator=random)[frames if alone else films]
        times = torch.randint(t, (count, 1), generator=random)[frames] if alone else None
        batch = pick(clips, index, accelerator.device, times=times, limbs=generator.limbs)
        for name, optimizer in state.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(settings, name, state.step)
        real, given = (batch, batch) if alone else split_batch(batch, settings)
        with accelerator.autocast():
            fake = generator(given.figure, given.image)
        if alone:
            record = warmup_step(state, given, fake, accelerator)
        else:
            record = discriminator_step(state, real, given, fake, accelerator)
            record |= generator_step(state, given, fake, accelerator)
        state.step += 1
        yield {"step": state.step, **average_record(accelerator, record)}


def pick(
    clips: DrivenClips,
    index: Tensor,
    device: torch.device | str = "cpu",
    *,
    times: Tensor | None = None,
    limbs: bool = False,
) -> Batch:
    """Put the films with these numbers (B,) on the device, as floats in [-1, 1].

    The picture that G is given is the film's own first frame.

    Args:
        clips: films and their skeletons.
        index: which of them.
        device: where to.
        times: (B, T) int64, which frames of each; all, in their order, if not given.
        limbs: whether G reads every limb by itself.
    """
    if times is None:
        times = torch.arange(clips.video.shape[2]).expand(len(index), -1)
    which = index[:, None]
    video, skeleton = (
        # (B, T, 3, H, W) -> (B, 3, T, H, W)
        to_float(films[which, :, times]).transpose(1, 2).to(device)
        .contiguous(memory_format=torch.channels_last_3d)
        for films in (clips.video, clips.skeleton)
    )  # fmt: skip
    image = to_float(clips.video[index, :, 0]).to(device)
    figure = skeleton
    if limbs:
        pose = clips.pose[which, times].to(device)
        figure = draw_figures(pose, video.shape[-2:], limbs=True, first=clips.pose[index, 0])
    return Batch(video, skeleton, image, figure)


def draw_figures(
    pose: Tensor, size: Sequence[int], *, limbs: bool = False, first: Tensor | None = None
) -> Tensor:
    """Draw poses as the stick figures that G reads.

    Args:
        pose: (N, T, 18, 3) in pixels.
        size: height and width of the frames.
        limbs: every limb in a channel of its own, and behind them the limbs of the first picture.
        first: the poses in the first pictures, (N, 18, 3); those of the first frames if not given.

    Returns:
        (N, 3, T, H, W) in [-1, 1], or (N, 34, T, H, W).
    """
    h, w = size
    n = expect_shape("pose", pose, "N T 18 3")["N"]
    line = max(h / 32, 1.5)
    if not limbs:
        return skeleton.draw(pose, height=h, width=w, line=line).transpose(1, 2)
    first = pose[:, 0] if first is None else first.to(pose)
    expect_shape("first", first, f"{n} 18 3")
    own, start = (
        skeleton.draw_limbs(some, height=h, width=w, line=line).transpose(1, 2)
        for some in (pose, first[:, None])
    )
    return torch.cat([own, start.expand_as(own)], 1)


@torch.no_grad()
def generate(state: State, pose: Tensor, image: Tensor) -> Tensor:
    """Paint films with the averaged weights where there are any, else with G's own.

    Dropout is off and batch norm uses its running means, so that a film does not depend on the
    others of its batch.

    Args:
        state: a trained run.
        pose: (B, T, 18, 3) in pixels of the film; the first is the image's own.
        image: the first frames, (B, 3, H, W) in [-1, 1].

    Returns:
        (B, 3, T, H, W) in [-1, 1].
    """
    generator: Any = state.models.get("average", state.models["generator"])
    device = next(generator.parameters()).device
    training = generator.training
    generator.eval()
    try:
        films = [
            generator(
                draw_figures(some.to(device), state.settings.size[1:], limbs=generator.limbs),
                pictures.to(device),
            )
            .float()
            .cpu()
            for some, pictures in zip(pose.split(16), image.split(16), strict=True)
        ]
    finally:
        generator.train(training)
    return torch.cat(films)
