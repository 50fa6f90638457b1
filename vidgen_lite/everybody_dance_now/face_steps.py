"""Stage 2: faces cut from what stage 1 paints, one step of each player, and the loop.

"Freeze stage 1" can be read in two ways. As the slides have it, nothing of stage 1 takes part: G_f
and D_f alone learn, by L_face + lambda_P L_P. That is what is done here, and since a frozen G
always paints the same, its faces are painted once, before the first step. The authors' code
freezes G by leaving it out of the optimiser, but keeps stage 1's losses of the whole frame, with
the corrected face in it, in what G_f minimises; and after ten epochs it lets the discriminators of
the whole frame learn again. There G_f is asked, too, that the face should fit the frame.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite.checks import expect_positive, expect_shape
from vidgen_lite.everybody_dance_now.face import (
    FaceDiscriminator,
    FaceGenerator,
    FaceUNet,
    corrected_face,
    cut_faces,
    face_boxes,
)
from vidgen_lite.everybody_dance_now.footage import Footage, to_bytes
from vidgen_lite.everybody_dance_now.generator import feed_back
from vidgen_lite.everybody_dance_now.losses import (
    PerceptualLoss,
    face_loss,
    perceptual_loss,
    stage_2_objective,
)
from vidgen_lite.everybody_dance_now.settings import FaceSettings
from vidgen_lite.everybody_dance_now.steps import (
    adam,
    channels_last,
    features_of,
    follow,
    initialise,
    set_rate,
)
from vidgen_lite.training import (
    State,
    average_gradients,
    average_record,
    make_accelerator,
    prepare,
    process_slice,
    step_generator,
    to_float,
)

if TYPE_CHECKING:
    from accelerate import Accelerator


class Faces(NamedTuple):
    """M faces, cut from the same places of three films; uint8, or float in [-1, 1].

    Attributes:
        pose: of the stick figures, x_F, (M, 3, S, S).
        painted: of what stage 1 painted, G(x)_F, likewise.
        real: of the real frames, y_F, likewise.
        figure: x_F as G_f reads it: ``pose``, or every limb by itself, (M, 17, S, S).
    """

    pose: Tensor
    painted: Tensor
    real: Tensor
    figure: Tensor


@torch.no_grad()
def paint_faces(state: State, footage: Footage, settings: FaceSettings) -> Faces:
    """Paint the footage with stage 1, as it paints a dance, and cut out the faces.

    Every film is painted from its first frame on, each frame from the one before, so that stage 2
    learns to correct what it will meet. (The authors take pairs, whose second frame has only one
    painted frame before it, and cut both where the first one's face is.)

    Args:
        state: of stage 1, trained; its averaged generator where there is one.
        footage: of the same person; what it was trained on, or more.
        settings: of stage 2; the side of its faces, and how its generator reads the stick figure.

    Raises:
        ValueError: no frame shows a nose or an ear.
    """
    generator: Any = state.models.get("average", state.models["generator"])
    device = next(generator.parameters()).device
    h, w = footage.video.shape[-2:]
    boxes, there = face_boxes(footage.pose, size=settings.face_size, height=h, width=w)
    if not there.any():
        raise ValueError("footage: expected a frame that shows a nose or an ear, got none")
    found: list[tuple[Tensor, ...]] = []
    for part in torch.arange(len(footage)).split(16):
        films = footage.subset(part)
        figures = films.figures(limbs=generator.limbs)
        painted = to_bytes(feed_back(generator, figures.to(device)).float().cpu())
        read = films.figures(limbs=settings.generator == "unet")
        seen = there[part].flatten()
        kinds = (films.skeleton, painted, films.video, read)
        frames = (to_bytes(some).transpose(1, 2).flatten(0, 1)[seen] for some in kinds)
        found.append(tuple(cut_faces(f, boxes[part].flatten(0, 1)[seen]) for f in frames if len(f)))
    return Faces(*(torch.cat(kind) for kind in zip(*filter(None, found), strict=True)))


def new_state(settings: FaceSettings) -> State:
    """Make the networks and optimisers of a run; the same seed gives the same weights."""
    torch.manual_seed(settings.seed)
    generator: nn.Module
    if settings.generator == "unet":
        generator = FaceUNet(width=settings.width, downsamplings=settings.downsamplings)
    else:
        generator = FaceGenerator(
            width=settings.width, downsamplings=settings.downsamplings, blocks=settings.blocks
        )
    discriminator = FaceDiscriminator(width=settings.discriminator_width, norm=settings.norm)
    models: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
    for model in models.values():
        initialise(channels_last(model))
    if settings.average_decay:
        models["average"] = copy.deepcopy(generator).requires_grad_(False)
    optimizers = {
        name: adam(models[name], settings.learning_rate, settings.beta1)
        for name in ("generator", "discriminator")
    }
    return State("everybody_dance_now faces", models, optimizers, settings)


class Judged(NamedTuple):
    """D_f's scores of real faces and of corrected ones, (B, 1, h, w) each."""

    real: Tensor
    fake: Tensor


def judge(discriminator: nn.Module, batch: Faces, face: Tensor) -> Judged:
    """Let D_f look at real and at corrected faces, once for both players: as in ``steps.judge``.

    Each kind goes in by itself: in one batch, batch norm would mix what is to be told apart.
    """
    return Judged(discriminator(batch.pose, batch.real), discriminator(batch.pose, face))


def generator_step(
    state: State,
    batch: Faces,
    face: Tensor,
    judged: Judged,
    network: nn.Module | None,
    accelerator: Accelerator,
) -> dict[str, Tensor]:
    """Teach G_f with the faces it has corrected; D_f stays as it is. Comes before D_f's step.

    Args:
        state: the run.
        batch: faces, in [-1, 1].
        face: the corrected ones, G(x)_F + r, (B, 3, S, S).
        judged: from :func:`judge`.
        network: the features of L_P; None if its weight is 0.
        accelerator: precision and processes.
    """
    settings, generator = state.settings, state.models["generator"]
    with accelerator.autocast():
        loss = stage_2_objective(
            face_loss(judged.real, judged.fake, kind=settings.loss),
            seen_difference(network, batch.real, face),
            F.l1_loss(face, batch.real),
            perceptual_weight=settings.perceptual_weight,
            pixel_weight=settings.pixel_weight,
        )
    state.optimizers["generator"].zero_grad()
    # The graph is kept: D_f's loss still has to go back through its part of it.
    accelerator.backward(loss.total, inputs=list(generator.parameters()), retain_graph=True)
    average_gradients(accelerator, generator)
    state.optimizers["generator"].step()
    if settings.average_decay:
        follow(state, settings.average_decay)
    return {"g_face": loss.face, "g_perceptual": loss.perceptual, "g_l1": loss.pixels}


def discriminator_step(state: State, judged: Judged, accelerator: Accelerator) -> dict[str, Tensor]:
    """Teach D_f to tell real faces from corrected ones, by what it has just seen; G_f rests."""
    discriminator = state.models["discriminator"]
    with accelerator.autocast():
        loss = face_loss(judged.real, judged.fake, kind=state.settings.loss)
    state.optimizers["discriminator"].zero_grad()
    accelerator.backward(loss.discriminator, inputs=list(discriminator.parameters()))
    average_gradients(accelerator, discriminator)
    state.optimizers["discriminator"].step()
    return {"d_real": loss.real, "d_fake": loss.fake}


def seen_difference(network: nn.Module | None, real: Tensor, fake: Tensor) -> PerceptualLoss | None:
    """L_P of faces (B, 3, S, S); None without a network."""
    if network is None:
        return None
    with torch.no_grad():
        wanted = network(real)
    weights: Any = network.weights
    return perceptual_loss(wanted, network(fake), weights)


def train(
    state: State,
    faces: Faces,
    *,
    network: nn.Module | None = None,
    accelerator: Accelerator | None = None,
) -> Iterator[dict[str, float]]:
    """Train until ``settings.steps`` and yield one record of named losses a step.

    Args:
        state: from :func:`new_state`, or resumed from a checkpoint.
        faces: from :func:`paint_faces`. Stage 1 itself is not needed any more.
        network: the features of L_P; those of the settings if not given.
        accelerator: device, precision and processes; made anew if not given.

    Raises:
        ValueError: faces of another size, or none.
    """
    settings = state.settings
    n = expect_shape("faces.real", faces.real, f"M 3 {settings.face_size} {settings.face_size}")[
        "M"
    ]
    expect_positive("faces: their number", n)
    accelerator = accelerator or make_accelerator()
    prepare(state, accelerator)
    share = process_slice(accelerator, settings.batch_size)
    network = features_of(settings, network, accelerator)
    generator: Any = state.models["generator"]
    while state.step < settings.steps:
        set_rate(state, 1 - state.step / settings.steps)
        random = step_generator(settings.seed, state.step)
        index = torch.randint(n, (settings.batch_size,), generator=random)[share]
        batch = Faces(*(to_float(kind[index]).to(accelerator.device) for kind in faces))
        with accelerator.autocast():
            face = corrected_face(generator, batch.figure, batch.painted)
            judged = judge(state.models["discriminator"], batch, face)
        record = generator_step(state, batch, face, judged, network, accelerator)
        record |= discriminator_step(state, judged, accelerator)
        state.step += 1
        yield {"step": state.step, **average_record(accelerator, record)}
