"""Lecture 3: The Pose Knows (Walker, Marino, Gupta and Hebert, 2017).

First forecast how the body moves, then paint it: a variational autoencoder over poses dreams
several futures (``vae``), and a GAN turns each one's skeletons and a picture into a film (``gan``).
Losses and training loops are in ``vae_steps`` and ``gan_steps``.
"""

from vidgen_lite.pose_futures import evaluate, gan_presets, gan_steps, vae_samples, vae_steps
from vidgen_lite.pose_futures.evaluate import best_of_n_curve, best_of_n_error
from vidgen_lite.pose_futures.gan import (
    FrameGenerator,
    PoseGenerator,
    PoseVideoDiscriminator,
)
from vidgen_lite.pose_futures.gan_steps import GANSettings
from vidgen_lite.pose_futures.presets import (
    COLLAPSED,
    DATA,
    MODELS,
    future_films,
    load_data,
    new_state,
    tracks_for,
    train,
    write_samples,
)
from vidgen_lite.pose_futures.vae import PoseVAE
from vidgen_lite.pose_futures.vae_steps import VAESettings, gaussian_kl, reparameterise
from vidgen_lite.pose_futures.velocities import (
    direction_magnitude_to_velocity,
    velocity_to_direction_magnitude,
)

__all__ = [
    "COLLAPSED",
    "DATA",
    "MODELS",
    "FrameGenerator",
    "GANSettings",
    "PoseGenerator",
    "PoseVAE",
    "PoseVideoDiscriminator",
    "VAESettings",
    "best_of_n_curve",
    "best_of_n_error",
    "direction_magnitude_to_velocity",
    "evaluate",
    "future_films",
    "gan_presets",
    "gan_steps",
    "gaussian_kl",
    "load_data",
    "new_state",
    "reparameterise",
    "tracks_for",
    "train",
    "vae_samples",
    "vae_steps",
    "velocity_to_direction_magnitude",
    "write_samples",
]
