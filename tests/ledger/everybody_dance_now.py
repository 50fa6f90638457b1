"""Lecture 4's equations."""

import numpy as np
import torch

from ledger import Entry
from vidgen_lite.everybody_dance_now import face, generator, losses, normalize
from vidgen_lite.everybody_dance_now.losses import FeatureMatchingLoss, GameLoss, PerceptualLoss
from vidgen_lite.everybody_dance_now.normalize import Statistics

random = np.random.default_rng(4)
B, C, S, T = 2, 3, 2, 3  # examples, colours, side of a picture, frames
POSES, FACE = random.uniform(-1, 1, (B, C, T, S, S)), random.uniform(-1, 1, (2, B, C, S, S))
SCORES = random.normal(0, 1, (2, 2, B, 1, S, S))  # real and painted, of two D_k
MAPS = random.normal(0, 1, (2, 4, B, C, S, S))  # real and painted, of four levels
WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
SEEN = random.normal(0, 1, (2, 5, B, C, S, S))
FEATURE_WEIGHT, PERCEPTUAL_WEIGHT = 10.0, 5.0
STATISTICS = {
    name: np.array(number)
    for name, number in zip(
        ("s_close", "s_far", "t_close", "t_far", "c_close", "c_far"),
        (640.0, 500.0, 600.0, 520.0, 0.9, 1.0),
        strict=True,
    )
}
# Some ankles, none of them twice, three of them in a leap; and none at an end, where it bends.
ANKLES = np.concatenate([random.uniform(505, 635, 9), [420.0, 431.0, 444.0]])


class Painter(torch.nn.Module):
    """Stands for G and for G_f: two pictures in, one out, and every pixel matters."""

    temporal = True

    def forward(self, pose, previous=None):
        previous = torch.zeros_like(pose) if previous is None else previous
        return torch.tanh(pose + 0.5 * previous * pose.flip(-1) - 0.3)


def painter(pose, previous):
    return np.tanh(pose + 0.5 * previous * pose[..., ::-1] - 0.3)


def film(poses):
    """Frame by frame, the first one after zeros."""
    frames = [np.zeros((B, C, S, S))]
    for t in range(T):
        frames.append(painter(poses[:, :, t], frames[-1]))
    return np.stack(frames[1:], 2)


def belief(score):
    return 1 / (1 + np.exp(-score))


def value(real, fake):
    """E log D + E log(1 - D), of one D."""
    return np.log(belief(real)).mean() + np.log(1 - belief(fake)).mean()


def squares(real, fake):
    """What D and what G minimises, of one D."""
    d = ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2
    return np.array([d, ((fake - 1) ** 2).mean()])


def distance(a, b, weights):
    return sum(w * np.abs(x - y).mean() for w, x, y in zip(weights, a, b, strict=True))


def share(y, s_far, s_close):
    """How near, from 0 to 1."""
    return np.minimum(np.maximum((y - s_far) / (s_close - s_far), 0), 1)


def scale(y, s_close, s_far, t_close, t_far, c_close, c_far):
    return c_far + share(y, s_far, s_close) * (c_close - c_far)


def position(y, s_close, s_far, t_close, t_far, c_close, c_far):
    """Between the ends the paper's line; beyond an end on from there, at that end's scale."""
    inside = np.minimum(np.maximum(y, s_far), s_close)
    line = t_far + (inside - s_far) / (s_close - s_far) * (t_close - t_far)
    at_the_end = np.where(y > s_close, c_close, c_far)
    return line + (y - inside) * at_the_end


def far(y):
    """The smallest of those above the median, not too far from it."""
    middle, close = np.median(y), y.max()
    return min(one for one in y if one < middle and middle - one < 0.7 * (close - middle))


def statistics(function, y, **numbers):
    return function(y, Statistics(**numbers, shift=0.0))


def game(smooth):
    """A game of which only what G minimises is known."""
    zero = torch.zeros_like(smooth)
    return GameLoss(zero, smooth, zero, zero)


def seen(total):
    return PerceptualLoss(total, (total,))


LEDGER = {
    "eq:edn-generator": Entry(
        function=generator.feed_back,
        computed=lambda function, poses: function(Painter(), poses),
        recomputed=film,
        inputs={"poses": POSES},
    ),
    "eq:smooth": Entry(
        function=losses.smooth_loss,
        # D minimises what is minus the value of the game.
        computed=lambda function, real, fake: -function([real], [fake], kind="log").discriminator,
        recomputed=value,
        inputs={"real": SCORES[0, 0], "fake": SCORES[1, 0]},
    ),
    "eq:smooth-least-squares": Entry(
        function=losses.smooth_loss,
        computed=lambda function, real, fake: torch.stack(
            function([real], [fake], kind="least_squares")[:2]
        ),
        recomputed=squares,
        inputs={"real": SCORES[0, 0], "fake": SCORES[1, 0]},
    ),
    "eq:feature-matching": Entry(
        function=losses.feature_matching_loss,
        computed=lambda function, real, fake: function([list(real)], [list(fake)]).total,
        recomputed=lambda real, fake: distance(real, fake, [1.0] * 4),
        inputs={"real": MAPS[0], "fake": MAPS[1]},
        fixed=frozenset({"real"}),
    ),
    "eq:perceptual": Entry(
        function=losses.perceptual_loss,
        computed=lambda function, real, fake: function(list(real), list(fake), WEIGHTS).total,
        recomputed=lambda real, fake: distance(real, fake, WEIGHTS),
        inputs={"real": SEEN[0], "fake": SEEN[1]},
        fixed=frozenset({"real"}),
    ),
    "eq:edn-stage-1": Entry(
        function=losses.stage_1_objective,
        # Three D_k; what G does about the first term is its own loss in it.
        computed=lambda function, smooth, matching, first, second: (
            function(
                game(smooth.sum()),
                FeatureMatchingLoss(matching.sum(), tuple(matching)),
                [seen(first), seen(second)],
                torch.zeros(()),
                feature_weight=FEATURE_WEIGHT,
                perceptual_weight=PERCEPTUAL_WEIGHT,
            ).total
        ),
        recomputed=lambda smooth, matching, first, second: (
            sum(smooth[k] + FEATURE_WEIGHT * matching[k] for k in range(3))
            + PERCEPTUAL_WEIGHT * first
            + PERCEPTUAL_WEIGHT * second
        ),
        inputs={
            "smooth": random.uniform(0, 1, 3),
            "matching": random.uniform(0, 1, 3),
            "first": np.array(0.3),
            "second": np.array(0.7),
        },
    ),
    "eq:face-residual": Entry(
        function=face.corrected_face,
        computed=lambda function, pose, painted: function(Painter(), pose, painted),
        recomputed=lambda pose, painted: painted + painter(pose, painted),
        inputs={"pose": FACE[0], "painted": FACE[1]},
    ),
    "eq:face": Entry(
        function=losses.face_loss,
        computed=lambda function, real, fake: -function(real, fake, kind="log").discriminator,
        recomputed=value,
        inputs={"real": SCORES[0, 1], "fake": SCORES[1, 1]},
    ),
    "eq:edn-stage-2": Entry(
        function=losses.stage_2_objective,
        computed=lambda function, face_term, difference: (
            function(
                game(face_term),
                seen(difference),
                torch.zeros(()),
                perceptual_weight=PERCEPTUAL_WEIGHT,
            ).total
        ),
        recomputed=lambda face_term, difference: face_term + PERCEPTUAL_WEIGHT * difference,
        inputs={"face_term": np.array(0.4), "difference": np.array(0.2)},
    ),
    "eq:normalise-translation": Entry(
        function=normalize.ankle_position,
        computed=statistics,
        recomputed=position,
        inputs={"y": ANKLES, **STATISTICS},
    ),
    "eq:normalise-scale": Entry(
        function=normalize.body_scale,
        computed=statistics,
        recomputed=scale,
        inputs={"y": ANKLES, **STATISTICS},
        fixed=frozenset({"t_close", "t_far"}),  # where the target stood changes nobody's size
    ),
    "eq:ankle-far": Entry(
        function=normalize.far_ankle,
        computed=lambda function, y: function(y),
        recomputed=far,
        inputs={"y": ANKLES},
    ),
}
