"""Lecture 3's equations."""

import numpy as np
import torch

from ledger import Entry
from vidgen_lite.pose_futures import evaluate, gan_steps, vae_steps, velocities
from vidgen_lite.pose_futures.gan_steps import GANSettings
from vidgen_lite.pose_futures.vae import Steps

random = np.random.default_rng(3)
B, K, M, J, Z = 2, 2, 3, 18, 4  # examples, past and future steps, joints, numbers of z
VELOCITY = random.normal(0, 0.05, (B, J, 2))
MEAN, LOG_VARIANCE, NOISE = (random.normal(0, 1, (B, Z)) for _ in range(3))
LOGITS, OTHERS = random.normal(0, 2, (2, 3))
FILM, OTHER_FILM = random.uniform(-1, 1, (2, 3, 3, 2, 2, 2))
# One film stands almost still, so that 8 of 24 pixels have moved: the weights are 1/2 and 2.
OTHER_FILM[0, :, 1] = OTHER_FILM[0, :, 0] + 0.05
SAMPLES, TRUTH = random.normal(0, 9, (B, 4, M, J, 2)), random.normal(0, 9, (B, M, J, 2))
KL_WEIGHT, POSE_WEIGHT, ALPHA, MOVING = 0.3, 0.7, 1000.0, 3.0


def split(velocity):
    """The x's and the y's of each example, one after the other."""
    rows = []
    for i in range(B):
        lengths = [np.sqrt((velocity[i, :, c] ** 2).sum()) for c in (0, 1)]
        direction = np.stack([5 * velocity[i, :, c] / lengths[c] for c in (0, 1)], 1)
        magnitude = [(np.exp(length) - 1.1) / 0.1 for length in lengths]
        rows.append(np.concatenate([direction.ravel(), magnitude]))
    return np.stack(rows)


def kl(mean, log_variance):
    variance = np.exp(log_variance)
    return (mean**2 + variance - 1 - np.log(variance)) / 2


def objective(function, d, m, past_d, past_m, mean, log_variance, pose):
    """Rebuild what the inputs' negatives are: any target will do."""
    future, past = Steps(d, m), Steps(past_d, past_m)
    targets = (Steps(*(-part.detach().flip(1) for part in steps)) for steps in (future, past))
    true_future, true_past = targets
    return function(
        future, true_future, past, true_past, mean, log_variance,
        kl_weight=KL_WEIGHT, pose=pose, pose_weight=POSE_WEIGHT,
    ).total  # fmt: skip


STEPS = {
    "d": random.normal(0, 1.2, (B, M, J, 2)),
    "m": random.normal(0, 1, (B, M, 2)),
    "past_d": random.normal(0, 1.2, (B, K, J, 2)),
    "past_m": random.normal(0, 1, (B, K, 2)),
}
TARGETS = {name: -np.flip(value, 1) for name, value in STEPS.items()}


def objective_again(d, m, past_d, past_m, mean, log_variance, pose):
    steps = {"d": d, "m": m, "past_d": past_d, "past_m": past_m}
    errors = sum(((steps[name] - TARGETS[name]) ** 2).mean() for name in steps)
    charge = sum(kl(mean[i, j], log_variance[i, j]) for i in range(B) for j in range(Z)) / B
    return errors + KL_WEIGHT * charge + POSE_WEIGHT * pose


def cross_entropy(logit, real):
    belief = 1 / (1 + np.exp(-logit))
    return -np.log(belief if real else 1 - belief)


def generator_objective(fake, logits, real):
    """The weights: 1 + MOVING where some colour has left the first frame, with a mean of 1."""
    weights = np.ones((len(real), *real.shape[2:]))
    for i, t, h, w in np.ndindex(weights.shape):
        if max(abs(real[i, :, t, h, w] - real[i, :, 0, h, w])) > gan_steps.CHANGE:
            weights[i, t, h, w] += MOVING
    weights /= weights.sum() / weights.size
    terms = [
        cross_entropy(logits[i], real=True)
        + ALPHA * np.mean([weights[i] * np.abs(fake[i, c] - real[i, c]) for c in range(3)])
        for i in range(len(fake))
    ]
    return sum(terms) / len(fake)


def best(samples, truth):
    """For every number of samples from one up."""
    found = []
    for n in range(1, samples.shape[1] + 1):
        nearest = [
            min(((samples[i, k] - truth[i]) ** 2).sum() / (M * J) for k in range(n))
            for i in range(B)
        ]
        found.append(sum(nearest) / B)
    return np.array(found)


LEDGER = {
    "eq:direction-magnitude": Entry(
        function=velocities.velocity_to_direction_magnitude,
        computed=lambda function, velocity: torch.cat(
            [part.flatten(1) for part in function(velocity)], 1
        ),
        recomputed=split,
        inputs={"velocity": VELOCITY},
    ),
    "eq:gaussian-kl": Entry(
        function=vae_steps.gaussian_kl,
        computed=lambda function, mean, log_variance: function(mean, log_variance),
        recomputed=kl,
        inputs={"mean": MEAN, "log_variance": LOG_VARIANCE},
    ),
    "eq:reparameterise": Entry(
        function=vae_steps.reparameterise,
        computed=lambda function, mean, log_variance, noise: function(mean, log_variance, noise),
        recomputed=lambda mean, log_variance, noise: mean + np.sqrt(np.exp(log_variance)) * noise,
        inputs={"mean": MEAN, "log_variance": LOG_VARIANCE, "noise": NOISE},
    ),
    "eq:pose-vae": Entry(
        function=vae_steps.vae_objective,
        computed=objective,
        recomputed=objective_again,
        inputs={**STEPS, "mean": MEAN, "log_variance": LOG_VARIANCE, "pose": np.array(0.4)},
    ),
    "eq:pose-gan-generator": Entry(
        function=gan_steps.generator_objective,
        computed=lambda function, fake, logits, real: (
            function(fake, logits, real, GANSettings(alpha=ALPHA, moving=MOVING)).total
        ),
        recomputed=generator_objective,
        inputs={"fake": FILM, "logits": LOGITS, "real": OTHER_FILM},
    ),
    "eq:pose-gan-discriminator": Entry(
        function=gan_steps.discriminator_objective,
        computed=lambda function, real, fake: function(real, fake).total,
        recomputed=lambda real, fake: (
            np.mean([cross_entropy(s, real=True) for s in real])
            + np.mean([cross_entropy(s, real=False) for s in fake])
        ),
        inputs={"real": LOGITS, "fake": OTHERS[:2]},
    ),
    "eq:best-of-n": Entry(
        function=evaluate.best_of_n_error,
        computed=lambda function, samples, truth: torch.stack(
            [function(samples, truth, n=n) for n in range(1, samples.shape[1] + 1)]
        ),
        recomputed=best,
        inputs={"samples": SAMPLES, "truth": TRUTH},
    ),
}
