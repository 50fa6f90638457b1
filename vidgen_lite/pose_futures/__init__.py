"""Lecture 3: The Pose Knows (Walker, Marino, Gupta and Hebert, 2017).

First forecast how the body moves, then paint it: a variational autoencoder over poses dreams
several futures (``vae``), and a GAN turns each one's skeletons and a picture into a film (``gan``).
"""

from vidgen_lite.pose_futures.velocities import (
    direction_magnitude_to_velocity,
    velocity_to_direction_magnitude,
)

__all__ = [
    "direction_magnitude_to_velocity",
    "velocity_to_direction_magnitude",
]
