"""Lecture 1's equations."""

import numpy as np
import torch

from ledger import Entry
from vidgen_lite import gan_objective

random = np.random.default_rng(1)
LOGITS = {"real": random.normal(1, 2, 7), "fake": random.normal(-1, 2, (5, 1))}
CELL = 0.25
DENSITIES = {name: random.uniform(0.1, 1, (4, 6)) for name in ("p", "q")}
DENSITIES = {name: density / density.sum() / CELL for name, density in DENSITIES.items()}


def sigmoid(s):
    return 1 / (1 + np.exp(-s))


def integral(values):
    return values.sum() * CELL


def loss_of(kind):
    """How the library's losses are called."""

    def call(function, real, fake):
        loss = function(real, fake, kind=kind)
        return torch.stack([loss.real, loss.fake, loss.total])

    return call


def terms(real, fake):
    """Both terms and their sum."""
    return np.stack([real, fake, real + fake])


def toy_logits(x, a, w):
    """A discriminator with one hidden layer, s(x) = sum over j of a_j tanh(w_j . x)."""
    return torch.tanh(torch.einsum("bchw,jchw->bj", x, w)) @ a


def toy_gradient_norms(x, a, w):
    """Its gradient by hand: sum over j of a_j (1 - tanh(w_j . x)^2) w_j; squared norms, (B,)."""
    slope = a * (1 - np.tanh(np.einsum("bchw,jchw->bj", x, w)) ** 2)
    return (np.einsum("bj,jchw->bchw", slope, w) ** 2).sum((1, 2, 3))


def r1_of_toy(function, x, a, w):
    x = x.detach().requires_grad_()
    return function(toy_logits(x, a, w), x)


LEDGER = {
    "eq:gan-value": Entry(
        function=gan_objective.value,
        computed=lambda function, real, fake: function(real, fake),
        recomputed=lambda real, fake: (
            np.log(sigmoid(real)).mean() + np.log(1 - sigmoid(fake)).mean()
        ),
        inputs=LOGITS,
    ),
    "eq:discriminator-loss": Entry(
        function=gan_objective.discriminator_loss,
        computed=loss_of("non_saturating"),
        recomputed=lambda real, fake: terms(
            -np.log(sigmoid(real)).mean(), -np.log(1 - sigmoid(fake)).mean()
        ),
        inputs=LOGITS,
    ),
    "eq:least-squares-discriminator": Entry(
        function=gan_objective.discriminator_loss,
        computed=loss_of("least_squares"),
        recomputed=lambda real, fake: terms(((real - 1) ** 2).mean() / 2, (fake**2).mean() / 2),
        inputs=LOGITS,
    ),
    "eq:generator-minimax": Entry(
        function=gan_objective.generator_loss,
        computed=lambda function, fake: function(fake, kind="minimax"),
        recomputed=lambda fake: np.log(1 - sigmoid(fake)).mean(),
        inputs={"fake": LOGITS["fake"]},
    ),
    "eq:generator-non-saturating": Entry(
        function=gan_objective.generator_loss,
        computed=lambda function, fake: function(fake, kind="non_saturating"),
        recomputed=lambda fake: -np.log(sigmoid(fake)).mean(),
        inputs={"fake": LOGITS["fake"]},
    ),
    "eq:least-squares-generator": Entry(
        function=gan_objective.generator_loss,
        computed=lambda function, fake: function(fake, kind="least_squares"),
        recomputed=lambda fake: ((fake - 1) ** 2).mean() / 2,
        inputs={"fake": LOGITS["fake"]},
    ),
    "eq:optimal-discriminator": Entry(
        function=gan_objective.optimal_discriminator,
        computed=lambda function, p, q: function(p, q),
        recomputed=lambda p, q: p / (p + q),
        inputs=DENSITIES,
    ),
    "eq:jensen-shannon": Entry(
        function=gan_objective.jensen_shannon,
        computed=lambda function, p, q: function(p, q, cell=CELL),
        recomputed=lambda p, q: (
            integral(p * np.log(2 * p / (p + q))) / 2 + integral(q * np.log(2 * q / (p + q))) / 2
        ),
        inputs=DENSITIES,
    ),
    # From the game's value at D*, not from the divergence: this is what the chapter proves. With
    # densities that finite differences shift a little off a total of 1, log 4 takes their totals.
    "eq:optimal-value": Entry(
        function=gan_objective.optimal_value,
        computed=lambda function, p, q: function(p, q, cell=CELL),
        recomputed=lambda p, q: (
            integral(p * np.log(p / (p + q)))
            + integral(q * np.log(1 - p / (p + q)))
            + (integral(p) + integral(q) - 2) * np.log(2)
        ),
        inputs=DENSITIES,
    ),
    "eq:pearson": Entry(
        function=gan_objective.pearson_chi_square,
        computed=lambda function, p, q: function(p, q, cell=CELL),
        recomputed=lambda p, q: integral((2 * q - (p + q)) ** 2 / (p + q)),
        inputs=DENSITIES,
    ),
    # The gradient compared is the one that training uses: the penalty's, for D's weights.
    "eq:r1": Entry(
        function=gan_objective.r1_penalty,
        computed=r1_of_toy,
        recomputed=lambda x, a, w: toy_gradient_norms(x, a, w).mean(),
        inputs={
            "x": random.normal(size=(3, 1, 2, 2)),
            "a": random.normal(size=4),
            "w": random.normal(size=(4, 1, 2, 2)),
        },
        fixed=frozenset({"x"}),
    ),
}
