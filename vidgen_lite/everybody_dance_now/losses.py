"""What the players of both stages minimise, each term by its name.

The paper writes its GAN terms with logarithms; its code trains with least squares. Both are here.
Scores are D's last maps: under ``log`` they are logits, D = sigmoid(score); under
``least_squares`` plain numbers that should be 1 for real frames and 0 for painted ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vidgen_lite.checks import expect_choice, expect_shape
from vidgen_lite.everybody_dance_now.footage import near_figure

KINDS = ("log", "least_squares")
REACH = 1 / 32  # of a frame's height: so far round its lines a stick figure says what is painted


class GameLoss(NamedTuple):
    """Both players' losses, to be minimised, and the two halves of D's. Scalars.

    Attributes:
        discriminator: ``real + fake``. Under ``log`` it is minus the value of the game.
        generator: G's. Under ``log`` it is the non-saturating -log D, as in lecture 1.
        real: how badly D takes real frames for real.
        fake: how badly D takes painted frames for painted.
    """

    discriminator: Tensor
    generator: Tensor
    real: Tensor
    fake: Tensor


class FeatureMatchingLoss(NamedTuple):
    """``total`` is the sum of ``scales``, one number for each D_k. Scalars."""

    total: Tensor
    scales: tuple[Tensor, ...]


class PerceptualLoss(NamedTuple):
    """``total`` is the weighted sum of ``levels``, one number for each map. Scalars."""

    total: Tensor
    levels: tuple[Tensor, ...]


class StageOneLoss(NamedTuple):
    """What G minimises in stage 1, term by term; ``total`` is the weighted sum. Scalars."""

    total: Tensor
    smooth: Tensor
    feature_matching: Tensor
    perceptual: Tensor
    pixels: Tensor


class StageTwoLoss(NamedTuple):
    """What G_f minimises in stage 2, term by term; ``total`` is the weighted sum. Scalars."""

    total: Tensor
    face: Tensor
    perceptual: Tensor
    pixels: Tensor


def smooth_loss(
    real_scores: Sequence[Tensor], fake_scores: Sequence[Tensor], *, kind: str = "least_squares"
) -> GameLoss:
    """The temporal smoothing objective L_smooth: D judges two poses and two frames together.

    The sum over the scales D_k of E log D_k(x_t, x_{t+1}, y_t, y_{t+1})
    + E log(1 - D_k(x_t, x_{t+1}, G(x_t), G(x_{t+1}))) is minus ``discriminator``, under ``log``.
    Under ``least_squares``, D minimises 1/2 E (D_k - 1)^2 on real frames + 1/2 E D_k^2 on painted
    ones, and G minimises E (D_k - 1)^2: the authors halve D's loss and not G's.

    Equations: eq:smooth, eq:smooth-least-squares

    Args:
        real_scores: one map of scores for each scale, (B, 1, h, w), on real frames.
        fake_scores: likewise on painted frames: the same moments, or other ones.
        kind: one of ``KINDS``.

    Returns:
        Sums over the scales of means over the maps.

    Raises:
        ValueError: an unknown kind, no scale at all, or other scales in one than in the other.
    """
    _expect_as_many("fake_scores", fake_scores, "real_scores", real_scores)
    games = [_game(r, f, kind) for r, f in zip(real_scores, fake_scores, strict=True)]
    return GameLoss(*(torch.stack(terms).sum() for terms in zip(*games, strict=True)))


def face_loss(real_scores: Tensor, fake_scores: Tensor, *, kind: str = "least_squares") -> GameLoss:
    """The face objective L_face: D_f judges a stick figure's face and a picture's face.

    E log D_f(x_F, y_F) + E log(1 - D_f(x_F, G(x)_F + r)) with r = G_f(x_F, G(x)_F) is minus
    ``discriminator``, under ``log``; ``least_squares`` is as in :func:`smooth_loss`.

    Equation: eq:face

    Args:
        real_scores: D_f's map of scores, (B, 1, h, w), on faces of real frames.
        fake_scores: likewise on painted and then corrected faces.
        kind: one of ``KINDS``.

    Raises:
        ValueError: an unknown kind, or an empty map.
    """
    return _game(real_scores, fake_scores, kind)


def feature_matching_loss(
    real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]
) -> FeatureMatchingLoss:
    """What D sees in painted frames should be what it sees in the real ones (from pix2pixHD).

    For each D_k, the sum over its levels of the mean |D_k^(i)(real) - D_k^(i)(fake)|. The real
    maps are a fixed target: no gradient goes there. (The authors divide by the number of scales;
    here that belongs to lambda_FM.)

    Equation: eq:feature-matching

    Args:
        real: for each scale the maps of its levels, without the scores, each (B, C, h, w).
        fake: likewise for the painted frames of the same moments.

    Raises:
        ValueError: other scales, levels or shapes in one than in the other.
    """
    _expect_as_many("fake", fake, "real", real)
    scales = tuple(
        _distances(*levels, [1.0] * len(levels[0])).total for levels in zip(real, fake, strict=True)
    )
    return FeatureMatchingLoss(torch.stack(scales).sum(), scales)


def perceptual_loss(
    real: Sequence[Tensor], fake: Sequence[Tensor], weights: Sequence[float]
) -> PerceptualLoss:
    """The distance of two sets of frames in what a trained network sees in them: L_P.

    The weighted sum over the network's levels of the mean |phi_i(real) - phi_i(fake)|. The real
    maps are a fixed target.

    Equation: eq:perceptual

    Args:
        real: the levels' maps for real frames, each (B, C, h, w): see ``perceptual``.
        fake: likewise for the painted frames of the same moments.
        weights: one for each level.

    Raises:
        ValueError: other levels or shapes in one than in the other.
    """
    return _distances(real, fake, weights)


def pixel_loss(
    real: Tensor, fake: Tensor, skeleton: Tensor, *, figure_weight: float = 0.0
) -> Tensor:
    """The mean |G(x) - y|, in which the person may count more than the room. Not in the paper.

    A background is learned in no time and fills most of the frame; its last small errors would
    outvote the body's. So pixels near the stick figure count 1 + ``figure_weight`` times, all
    others once, and the sum is divided by the number of counts.

    Args:
        real, fake: films, (B, 3, T, H, W) in [-1, 1].
        skeleton: their stick figures, on black, likewise.
        figure_weight: 0 for the plain mean.

    Raises:
        ValueError: other shapes.
    """
    expect_shape("real", real, "B 3 T H W")
    expect_shape("fake", fake, " ".join(map(str, real.shape)))
    expect_shape("skeleton", skeleton, " ".join(map(str, real.shape)))
    error = (_at_least_float32(fake) - real).abs()
    if figure_weight == 0:
        return error.mean()
    weights = 1 + figure_weight * near_figure(skeleton, REACH).to(error.dtype)  # (B, 1, T, H, W)
    return (weights * error).mean() / weights.mean()


def stage_1_objective(
    game: GameLoss,
    matching: FeatureMatchingLoss,
    perceptual: Sequence[PerceptualLoss],
    pixels: Tensor,
    *,
    feature_weight: float,
    perceptual_weight: float,
    pixel_weight: float = 0.0,
) -> StageOneLoss:
    """G's whole loss in stage 1; G minimises every term, and D_1, D_2, D_3 play only the first.

    L_smooth + lambda_FM L_FM + lambda_P (L_P of one frame + L_P of the next).

    Equation: eq:edn-stage-1

    Args:
        game: from :func:`smooth_loss`.
        matching: from :func:`feature_matching_loss`.
        perceptual: one of :func:`perceptual_loss` for each of the two frames; none, if its weight
            is 0 and it was not worked out.
        pixels: :func:`pixel_loss`. Not in the paper, whose weight of it is 0.
        feature_weight: lambda_FM. perceptual_weight: lambda_P. pixel_weight: of ``pixels``.
    """
    seen = sum((loss.total for loss in perceptual), torch.zeros_like(game.generator))
    total = game.generator + feature_weight * matching.total + perceptual_weight * seen
    total = total + pixel_weight * pixels
    return StageOneLoss(total, game.generator, matching.total, seen, pixels)


def stage_2_objective(
    game: GameLoss,
    perceptual: PerceptualLoss | None,
    pixels: Tensor,
    *,
    perceptual_weight: float,
    pixel_weight: float = 0.0,
) -> StageTwoLoss:
    """G_f's whole loss in stage 2: L_face + lambda_P L_P(G(x)_F + r, y_F).

    Equation: eq:edn-stage-2

    Args:
        game: from :func:`face_loss`.
        perceptual: of the corrected faces and the real ones; None, if its weight is 0 and it was
            not worked out.
        pixels: the mean |G(x)_F + r - y_F|. Not in the paper, whose weight of it is 0.
        perceptual_weight: lambda_P. pixel_weight: of ``pixels``.
    """
    seen = torch.zeros_like(game.generator) if perceptual is None else perceptual.total
    total = game.generator + perceptual_weight * seen + pixel_weight * pixels
    return StageTwoLoss(total, game.generator, seen, pixels)


def _game(real_scores: Tensor, fake_scores: Tensor, kind: str) -> GameLoss:
    expect_choice("kind", kind, KINDS)
    real_scores, fake_scores = _expect_scores(real_scores), _expect_scores(fake_scores)
    if kind == "log":
        real = F.softplus(-real_scores).mean()  # -log D
        fake = F.softplus(fake_scores).mean()  # -log(1 - D)
        generator = F.softplus(-fake_scores).mean()
    else:
        real = 0.5 * (real_scores - 1).square().mean()
        fake = 0.5 * fake_scores.square().mean()
        generator = (fake_scores - 1).square().mean()
    return GameLoss(real + fake, generator, real, fake)


def _distances(
    real: Sequence[Tensor], fake: Sequence[Tensor], weights: Sequence[float]
) -> PerceptualLoss:
    _expect_as_many("fake", fake, "real", real)
    _expect_as_many("weights", weights, "real", real)
    levels = []
    for target, made in zip(real, fake, strict=True):
        expect_shape("fake", made, " ".join(map(str, target.shape)))
        levels.append(F.l1_loss(_at_least_float32(made), _at_least_float32(target.detach())))
    total = torch.stack([w * level for w, level in zip(weights, levels, strict=True)]).sum()
    return PerceptualLoss(total, tuple(levels))


def _expect_as_many(name: str, some: Sequence, other_name: str, others: Sequence) -> None:
    if len(others) == 0 or len(some) != len(others):
        raise ValueError(
            f"{name}: expected as many as {other_name}, at least one, "
            f"got {len(some)} and {len(others)}"
        )


def _expect_scores(scores: Tensor) -> Tensor:
    if scores.numel() == 0:
        raise ValueError(f"scores: expected at least one value, got shape {tuple(scores.shape)}")
    return _at_least_float32(scores)


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
