"""Lecture 1: the GAN objective (Goodfellow et al., 2014).

A generator G and a discriminator D play for min over G, max over D of
E log D(x) + E log(1 - D(G(z))). ``losses`` holds what the players minimise, ``densities`` what this
comes to when D is perfect, ``plane`` a pair of networks for points of the plane, ``steps`` the
training loop, ``draw`` pictures of the game.
"""

from vidgen_lite.gan_objective.densities import (
    jensen_shannon,
    optimal_discriminator,
    optimal_value,
    pearson_chi_square,
)
from vidgen_lite.gan_objective.draw import draw_game
from vidgen_lite.gan_objective.losses import (
    KINDS,
    DiscriminatorLoss,
    discriminator_loss,
    generator_loss,
    r1_penalty,
    value,
)
from vidgen_lite.gan_objective.plane import (
    Coverage,
    Discriminator2D,
    Generator2D,
    Mixture,
    coverage,
    ring,
)
from vidgen_lite.gan_objective.steps import (
    DATA,
    MODELS,
    Data,
    Settings,
    discriminator_step,
    generator_step,
    load_data,
    new_state,
    noise,
    sample,
    train,
    write_samples,
)

__all__ = [
    "DATA",
    "KINDS",
    "MODELS",
    "Coverage",
    "Data",
    "Discriminator2D",
    "DiscriminatorLoss",
    "Generator2D",
    "Mixture",
    "Settings",
    "coverage",
    "discriminator_loss",
    "discriminator_step",
    "draw_game",
    "generator_loss",
    "generator_step",
    "jensen_shannon",
    "load_data",
    "new_state",
    "noise",
    "optimal_discriminator",
    "optimal_value",
    "pearson_chi_square",
    "r1_penalty",
    "ring",
    "sample",
    "train",
    "value",
    "write_samples",
]
