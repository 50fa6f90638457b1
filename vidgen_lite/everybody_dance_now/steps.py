"""Stage 1: one step of each player, and the loop over pairs of frames."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from vidgen_lite.checks import expect_shape
from vidgen_lite.everybody_dance_now.discriminator import (
    MultiscaleDiscriminator,
    features,
    scores,
)
from vidgen_lite.everybody_dance_now.footage import Footage, draw_skeletons
from vidgen_lite.everybody_dance_now.generator import (
    Generator,
    GlobalGenerator,
    LocalEnhancer,
    UNetGenerator,
    feed_back,
)
from vidgen_lite.everybody_dance_now.losses import (
    PerceptualLoss,
    feature_matching_loss,
    perceptual_loss,
    pixel_loss,
    smooth_loss,
    stage_1_objective,
)
from vidgen_lite.everybody_dance_now.perceptual import load_perceptual
from vidgen_lite.everybody_dance_now.settings import Settings
from vidgen_lite.training import (
    State,
    average_gradients,
    average_record,
    make_accelerator,
    prepare,
    process_slice,
    step_generator,
    to_float,
    update_average,
)

if TYPE_CHECKING:
    from accelerate import Accelerator


class Batch(NamedTuple):
    """Pairs of frames in a row, (B, 3, 2, H, W) in [-1, 1], and their stick figures, likewise.

    In the warm-up a frame by itself, (B, 3, 1, H, W): unrelated frames teach more than neighbours.
    ``figure`` is the stick figure as G reads it: the same, or (B, 17, 2, H, W).
    """

    video: Tensor
    skeleton: Tensor
    figure: Tensor


class Judged(NamedTuple):
    """D's maps, by scale and level: of the real frames, and of the painted ones."""

    real: list[list[Tensor]]
    fake: list[list[Tensor]]


def new_state(settings: Settings) -> State:
    """Make the networks and optimisers of a run; the same seed gives the same weights."""
    torch.manual_seed(settings.seed)
    generator = new_generator(settings)
    discriminator = MultiscaleDiscriminator(
        width=settings.discriminator_width,
        scales=settings.scales,
        frames=2 if settings.temporal else 1,
    )
    models: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
    for model in models.values():
        initialise(channels_last(model))
    if settings.average_decay:
        models["average"] = copy.deepcopy(generator).requires_grad_(False)
    optimizers = {
        name: adam(models[name], settings.learning_rate, settings.beta1)
        for name in ("generator", "discriminator")
    }
    return State("everybody_dance_now stage 1", models, optimizers, settings)


def new_generator(settings: Settings) -> Generator:
    """The generator that the settings ask for, on whatever device is in force."""
    sizes: dict[str, Any] = {
        "width": settings.width,
        "downsamplings": settings.downsamplings,
        "temporal": settings.temporal,
    }
    if settings.generator == "unet":
        return UNetGenerator(**sizes, size=settings.size, mirror=settings.mirror)
    if settings.generator == "global":
        return GlobalGenerator(**sizes, blocks=settings.blocks)
    return LocalEnhancer(**sizes, blocks=settings.enhancer_blocks, global_blocks=settings.blocks)


def channels_last(network: nn.Module) -> nn.Module:
    """Lay kernels out with the channels last, on which convolutions are faster."""
    for weight in network.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return network


@torch.no_grad()
def initialise(network: nn.Module) -> None:
    """Draw weights as the authors do: N(0, 0.02), in batch norm N(1, 0.02), biases 0."""
    for layer in network.modules():
        if isinstance(layer, nn.modules.conv._ConvNd):
            layer.weight.normal_(0, 0.02)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.weight.normal_(1, 0.02)
            layer.bias.zero_()


def adam(network: nn.Module, rate: float, beta1: float) -> torch.optim.Adam:
    """Adam for a network's weights, in one kernel for all of them."""
    return torch.optim.Adam(network.parameters(), rate, (beta1, 0.999), fused=True)


def judge(discriminator: nn.Module, batch: Batch, fake: Tensor) -> Judged:
    """Let D look at the real and at the painted frames: once, for both players' losses.

    The painted frames are not detached, since G's gradient has to come back through them. Each
    player's loss then goes back to that player's own weights and to no others (``inputs`` in the
    steps): G's passes through D as if D were frozen, and D's ends at D as if the frames were
    detached. So D looks at every frame once a step, where two steps that know nothing of each
    other look twice.

    FBF's D judges single frames: the pairs are taken apart.
    """
    films = [batch.skeleton, batch.video, fake]
    if discriminator.frames == 1:
        films = [film.transpose(1, 2).flatten(0, 1).unsqueeze(2) for film in films]
    skeleton, real, painted = films
    return Judged(discriminator(skeleton, real), discriminator(skeleton, painted))


def pixel_step(
    state: State, batch: Batch, fake: Tensor, accelerator: Accelerator
) -> dict[str, Tensor]:
    """Teach G by the difference of pixels alone, before the game begins; D waits."""
    settings = state.settings
    loss = pixel_loss(batch.video, fake, batch.skeleton, figure_weight=settings.figure_weight)
    descend(state, settings.pixel_weight * loss + open_mask(state, accelerator), accelerator)
    return {"g_l1": loss.detach()}


def generator_step(
    state: State,
    batch: Batch,
    fake: Tensor,
    judged: Judged,
    network: nn.Module | None,
    accelerator: Accelerator,
) -> dict[str, Tensor]:
    """Teach G with the frames it has painted; D stays as it is, and collects no gradient.

    Comes before D's step: once D's weights have changed, what it saw is gone.

    Args:
        state: the run.
        batch: the real pairs.
        fake: what G painted, (B, 3, 2, H, W), the second frame from the first.
        judged: from :func:`judge`.
        network: the features of L_P; None if its weight is 0.
        accelerator: precision and processes.
    """
    settings = state.settings
    with accelerator.autocast():
        loss = stage_1_objective(
            smooth_loss(scores(judged.real), scores(judged.fake), kind=settings.loss),
            feature_matching_loss(features(judged.real), features(judged.fake)),
            seen_differences(network, batch.video, fake),
            pixel_loss(batch.video, fake, batch.skeleton, figure_weight=settings.figure_weight),
            feature_weight=settings.feature_weight,
            perceptual_weight=settings.perceptual_weight,
            pixel_weight=settings.pixel_weight,
        )
    # The graph is kept: D's loss still has to go back through its part of it.
    total = loss.total + open_mask(state, accelerator)
    descend(state, total, accelerator, retain_graph=True)
    return {
        "g_smooth": loss.smooth,
        "g_features": loss.feature_matching,
        "g_perceptual": loss.perceptual,
        "g_l1": loss.pixels,
    }


def open_mask(state: State, accelerator: Accelerator) -> Tensor | float:
    """The penalty on the mask of the frames painted last; 0 without one."""
    generator = accelerator.unwrap_model(state.models["generator"])
    mask = getattr(generator, "mask", None)
    return 0.0 if mask is None else state.settings.mask_weight * mask.mean()


def descend(
    state: State, loss: Tensor, accelerator: Accelerator, *, retain_graph: bool = False
) -> None:
    """One step of G's weights, and of their average, down a loss; of no other weights."""
    generator = state.models["generator"]
    state.optimizers["generator"].zero_grad()
    accelerator.backward(loss, inputs=list(generator.parameters()), retain_graph=retain_graph)
    average_gradients(accelerator, generator)
    state.optimizers["generator"].step()
    if state.settings.average_decay:
        follow(state, state.settings.average_decay)


def discriminator_step(state: State, judged: Judged, accelerator: Accelerator) -> dict[str, Tensor]:
    """Teach all D_k to tell real from painted, by what they have just seen; G is not touched."""
    discriminator = state.models["discriminator"]
    with accelerator.autocast():
        loss = smooth_loss(scores(judged.real), scores(judged.fake), kind=state.settings.loss)
    state.optimizers["discriminator"].zero_grad()
    accelerator.backward(loss.discriminator, inputs=list(discriminator.parameters()))
    average_gradients(accelerator, discriminator)
    state.optimizers["discriminator"].step()
    return {"d_real": loss.real, "d_fake": loss.fake}


def seen_differences(network: nn.Module | None, real: Tensor, fake: Tensor) -> list[PerceptualLoss]:
    """L_P of each of two frames, (B, 3, 2, H, W), seen in one pass; nothing without a network."""
    if network is None:
        return []
    with torch.no_grad():
        wanted = network(torch.cat(real.unbind(2)))  # maps of (2 B, C, h, w), first frames first
    made = network(torch.cat(fake.unbind(2)))
    weights: Any = network.weights
    b = len(real)
    return [
        perceptual_loss([m[part] for m in wanted], [m[part] for m in made], weights)
        for part in (slice(0, b), slice(b, None))
    ]


def follow(state: State, decay: float) -> None:
    """Let the averaged generator follow: closely at first, so that it forgets the first weights."""
    decay = min(decay, (1 + state.step) / (10 + state.step))
    update_average(state.models["average"], state.models["generator"], decay)


def set_rate(state: State, left: float) -> None:
    """The rate of this step: constant over the first half of a phase, then along a line to 0.

    Args:
        state: the run.
        left: how much of the phase is still to come, as a share of it.
    """
    settings = state.settings
    rate = settings.learning_rate * (min(1.0, 2 * left) if settings.decay else 1.0)
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = rate


def features_of(
    settings: Any, network: nn.Module | None, accelerator: Accelerator
) -> nn.Module | None:
    """The network of L_P on the device: the one given, else the settings'; None at weight 0."""
    if settings.perceptual_weight == 0:
        return None
    if network is None:
        network = load_perceptual(settings.features, steps=settings.feature_steps)
    # Real and painted frames' maps must lie alike in memory, or comparing them takes long.
    return channels_last(network.to(accelerator.device))


def train(
    state: State,
    footage: Footage,
    *,
    network: nn.Module | None = None,
    accelerator: Accelerator | None = None,
) -> Iterator[dict[str, float]]:
    """Train until ``settings.steps`` and yield one record of named losses a step.

    Args:
        state: from :func:`new_state`, or resumed from a checkpoint.
        footage: films of the one person.
        network: the features of L_P; those of the settings if not given.
        accelerator: device, precision and processes; made anew if not given.

    Raises:
        ValueError: films of another size, or without two frames in a row that show somebody.
    """
    settings = state.settings
    h, w = settings.size
    expect_shape("footage.video", footage.video, f"N 3 T {h} {w}")
    pairs = footage.pairs
    if len(pairs) == 0:
        raise ValueError("footage: expected two frames in a row that show somebody, got none")
    accelerator = accelerator or make_accelerator()
    if state.step == 0:
        show_room(state, footage)
    prepare(state, accelerator)
    share = process_slice(accelerator, settings.batch_size)
    network = features_of(settings, network, accelerator)
    generator: Any = state.models["generator"]
    while state.step < settings.steps:
        alone = state.step < settings.warmup  # two phases: the warm-up and the game
        begin, end = (0, settings.warmup) if alone else (settings.warmup, settings.steps)
        set_rate(state, (end - state.step) / (end - begin))
        random = step_generator(settings.seed, state.step)
        index = torch.randint(len(pairs), (settings.batch_size,), generator=random)[share]
        frames = 1 if alone else 2
        batch = pick(
            footage, pairs[index], accelerator.device, frames=frames, limbs=generator.limbs
        )
        with accelerator.autocast():
            fake = feed_back(generator, batch.figure)
            judged = None if alone else judge(state.models["discriminator"], batch, fake)
        if judged is None:
            record = pixel_step(state, batch, fake, accelerator)
        else:
            record = generator_step(state, batch, fake, judged, network, accelerator)
            record |= discriminator_step(state, judged, accelerator)
        state.step += 1
        yield {"step": state.step, **average_record(accelerator, record)}


def show_room(state: State, footage: Footage, frames: int = 200) -> None:
    """Give a U-Net its first guess of the room, from so many frames spread over the footage."""
    n, _, t = footage.video.shape[:3]
    where = torch.linspace(0, n * t - 1, min(frames, n * t)).long()
    some, figures = (  # (frames, 3, H, W)
        to_float(films[where // t, :, where % t]) for films in (footage.video, footage.skeleton)
    )
    for name in ("generator", "average"):
        model = state.models.get(name)
        if isinstance(model, UNetGenerator):
            model.guess_background(some, figures)


def pick(
    footage: Footage,
    starts: Tensor,
    device: torch.device | str = "cpu",
    *,
    frames: int = 2,
    limbs: bool = False,
) -> Batch:
    """Put ``frames`` frames in a row on the device, as floats in [-1, 1].

    Args:
        footage: films.
        starts: (B, 2) int64: film and first frame of each stretch.
        device: where to.
        frames: how many from there on.
        limbs: whether G reads every limb by itself.
    """
    n, t = starts[:, :1], starts[:, 1:] + torch.arange(frames)  # (B, 1), (B, frames)
    video, skeleton = (
        # (B, frames, 3, H, W) -> (B, 3, frames, H, W)
        to_float(films[n, :, t]).to(device).transpose(1, 2)
        for films in (footage.video, footage.skeleton)
    )
    if not limbs:
        return Batch(video, skeleton, skeleton)
    h, w = video.shape[-2:]
    return Batch(video, skeleton, draw_skeletons(footage.pose[n, t].to(device), (h, w), limbs=True))
