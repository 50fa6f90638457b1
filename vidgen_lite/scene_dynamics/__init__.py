"""Lecture 2: Generating Videos with Scene Dynamics (Vondrick, Pirsiavash and Torralba, 2016).

A video is a still background, a moving foreground, and a mask that says at each pixel and frame
which of the two is seen: G(z) = m * f + (1 - m) * b. ``networks`` holds the generators and the
discriminator, ``steps`` the losses and the training loop.
"""

from vidgen_lite.scene_dynamics.classify import ActionClassifier, accuracy, fine_tune
from vidgen_lite.scene_dynamics.networks import (
    GeneratedVideo,
    ImageToVideoGenerator,
    OneStreamGenerator,
    VideoDiscriminator,
    VideoGenerator,
    compose,
)
from vidgen_lite.scene_dynamics.presets import (
    DATA,
    MODELS,
    PAPER,
    STREET,
    load_data,
    puppet_clips,
    walkers,
    write_samples,
)
from vidgen_lite.scene_dynamics.steps import (
    GeneratorLoss,
    Settings,
    discriminator_step,
    first_frame_loss,
    generator_objective,
    generator_step,
    mask_sparsity,
    new_state,
    sample,
    train,
)

__all__ = [
    "DATA",
    "MODELS",
    "PAPER",
    "STREET",
    "ActionClassifier",
    "GeneratedVideo",
    "GeneratorLoss",
    "ImageToVideoGenerator",
    "OneStreamGenerator",
    "Settings",
    "VideoDiscriminator",
    "VideoGenerator",
    "accuracy",
    "compose",
    "discriminator_step",
    "fine_tune",
    "first_frame_loss",
    "generator_objective",
    "generator_step",
    "load_data",
    "mask_sparsity",
    "new_state",
    "puppet_clips",
    "sample",
    "train",
    "walkers",
    "write_samples",
]
