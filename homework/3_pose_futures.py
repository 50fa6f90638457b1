"""Homework 3, pose futures: the one source of notebook, checks, solution and rubric."""

# ruff: noqa: E501, F811, F821
# %% [markdown]
# # Homework 3: pose futures
#
# About three hours. You write seven functions, none longer than ten lines; watch a small variational
# autoencoder remember too much, just enough and nothing; and answer one question in words. The training
# takes seconds, on two CPU cores and without a GPU.
#
# The [chapter](../../book/3_pose_futures.md) has all the theory. The letters here are its letters: $P_k$ is
# the pose at the end of step $k$, $Y_k = P_k - P_{k-1}$ its velocity, $d$ and $m$ direction and magnitude,
# $H_t$ what the past encoder remembers, $\mu$ and $\sigma$ mean and spread of the approximate posterior $q$.
#
# **How it works.** Write each answer into its own cell, below the line `# Answer 3.1`, and leave that
# line where it is. The cell after it checks what you wrote, as often as you like, and gives a hint. The
# checks are not the marks: your functions will be asked again with other numbers. Use `torch` freely; the
# functions of `vidgen_lite.pose_futures` that do nearly the same are not the answer, since each
# question has a twist that they lack.

# %%
# Setup
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from vidgen_lite import gan_objective, homework, pose_futures

# %% [markdown]
# ## 3.1 From poses to directions and magnitudes
#
# *20 minutes, 4 points.* Poses come in pixels, one more of them than steps. Take the velocity of each step **in
# fractions of the picture**, $x$ of its width and $y$ of its height. Let $v$ be the $x$'s of all joints in one step, or
# their $y$'s, and give for each of the two
#
# $$
# d = 5\, \frac{v}{|v|}, \qquad m = \frac{e^{|v|} - 1.1}{0.1} .
# $$
#
# A body that stands still has direction 0.


# %% answer 3.1 | From poses to directions and magnitudes | 4 points | code
def split(poses: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Directions and magnitudes of the steps between poses.

    Args:
        poses: (B, K + 1, J, 2), x and y in pixels, at the ends of steps.
        size: height and width of the picture in pixels.

    Returns:
        Directions (B, K, J, 2) and magnitudes (B, K, 2).
    """
    # BEGIN SOLUTION
    height, width = size
    velocity = poses.diff(dim=1) / torch.tensor([width, height])
    length = velocity.norm(dim=2)  # (B, K, 2)
    safe = torch.where(length > 0, length, 1.0)
    return 5 * velocity / safe.unsqueeze(2), (length.exp() - 1.1) / 0.1
    # END SOLUTION


# %% probes 3.1
def probes(random):
    yield Probe("one step, a square picture", (random.uniform(1, 2, 3, 2) * 50, (50, 50)))
    yield Probe("a wide picture", (random.uniform(1, 2, 3, 2) * 40, (40, 80)))
    yield Probe("two bodies, two steps", (random.uniform(2, 3, 2, 2) * 20, (48, 64)))
    still = (random.uniform(1, 1, 2, 2) * 40).repeat(1, 2, 1, 1)
    yield Probe("a body that stands still", (still, (40, 60)), share=0.25)
    rising = still.clone()
    rising[:, 1, :, 1] += 5
    yield Probe("a body that only rises", (rising, (40, 60)), share=0.25)


# %% mistake 3.1 | width and height exchanged
# Right for a square picture only: width and height are exchanged. A size is height, then width; a pose is x, then y.
def split(poses, size):
    velocity = poses.diff(dim=1) / torch.tensor(size)
    length = velocity.norm(dim=2)
    safe = torch.where(length > 0, length, 1.0)
    return 5 * velocity / safe.unsqueeze(2), (length.exp() - 1.1) / 0.1


# %% mistake 3.1 | pixels left as they are
# The velocities are still in pixels. Divide the x's by the width and the y's by the height.
def split(poses, size):
    velocity = poses.diff(dim=1)
    length = velocity.norm(dim=2)
    safe = torch.where(length > 0, length, 1.0)
    return 5 * velocity / safe.unsqueeze(2), (length.exp() - 1.1) / 0.1


# %% mistake 3.1 | a length for each joint
# Each joint has a length of its own here. The length is that of one vector with all joints in it, one for the x's and one for the
# y's.
def split(poses, size):
    velocity = poses.diff(dim=1) / torch.tensor(size[::-1])
    length = velocity.norm(dim=3)
    safe = torch.where(length > 0, length, 1.0)
    return 5 * velocity / safe.unsqueeze(3), (length.exp() - 1.1) / 0.1


# %% mistake 3.1 | one length for x and y
# The x's and the y's went into one length. Each have their own, so a step has two magnitudes.
def split(poses, size):
    velocity = poses.diff(dim=1) / torch.tensor(size[::-1])
    length = velocity.norm(dim=(2, 3))[..., None].expand(-1, -1, 2)
    safe = torch.where(length > 0, length, 1.0)
    return 5 * velocity / safe.unsqueeze(2), (length.exp() - 1.1) / 0.1


# %% mistake 3.1 | backwards in time
# Every step points backwards. A velocity is the pose at the end of a step minus that at its start.
def split(poses, size):
    velocity = (poses[:, :-1] - poses[:, 1:]) / torch.tensor(size[::-1])
    length = velocity.norm(dim=2)
    safe = torch.where(length > 0, length, 1.0)
    return 5 * velocity / safe.unsqueeze(2), (length.exp() - 1.1) / 0.1


# %% mistake 3.1 | nothing divided by nothing
# Where a body stands still, its direction is 0/0, no number. Decide there what to divide by, before you divide.
def split(poses, size):
    velocity = poses.diff(dim=1) / torch.tensor(size[::-1])
    length = velocity.norm(dim=2)
    return 5 * velocity / length.unsqueeze(2), (length.exp() - 1.1) / 0.1


# %% mistake 3.1 | a straight line for the exponential
# The magnitude grows along a straight line. The formula has an exponential, which for small lengths is nearly the same.
def split(poses, size):
    velocity = poses.diff(dim=1) / torch.tensor(size[::-1])
    length = velocity.norm(dim=2)
    safe = torch.where(length > 0, length, 1.0)
    return 5 * velocity / safe.unsqueeze(2), 10 * length - 1


# %% mistake 3.1 | directions of length 1
# These directions have length 1. They should have length 5.
def split(poses, size):
    velocity = poses.diff(dim=1) / torch.tensor(size[::-1])
    length = velocity.norm(dim=2)
    safe = torch.where(length > 0, length, 1.0)
    return velocity / safe.unsqueeze(2), (length.exp() - 1.1) / 0.1


# %% mistake 3.1 | the sum for the length
# The length is the Euclidean one, the root of the sum of squares. A sum of sizes is longer.
def split(poses, size):
    velocity = poses.diff(dim=1) / torch.tensor(size[::-1])
    length = velocity.abs().sum(2)
    safe = torch.where(length > 0, length, 1.0)
    return 5 * velocity / safe.unsqueeze(2), (length.exp() - 1.1) / 0.1


# %% alternative 3.1 | x and y apart, in float64
def split(poses, size):
    found = []
    for axis, sides in ((0, size[1]), (1, size[0])):
        v = (poses[:, 1:, :, axis].double() - poses[:, :-1, :, axis].double()) / sides
        length = v.square().sum(-1).sqrt()
        found.append((torch.nan_to_num(5 * v / length[..., None]), 10 * torch.expm1(length) - 1))
    return [torch.stack(part, -1) for part in zip(*found, strict=True)]


# %% alternative 3.1 | normalised by torch
def split(poses, size):
    v = (poses[:, 1:] - poses[:, :-1]) / poses.new_tensor([size[1], size[0]])
    return 5 * F.normalize(v, dim=2), 10 * v.norm(dim=2).exp() - 11


# %% [markdown]
# ## 3.2 And back to poses
#
# *20 minutes, 4 points.* A network has predicted a direction and a magnitude for each of $K$ future steps. Give the
# poses that they lead to, in pixels. Each step starts where the one before it ended.
#
# Work out the way back from $m$ to $|v|$ on paper. A network may predict any number: a magnitude below −1, that of
# standing still, means standing still, and your function must then give neither a step backwards nor something that is no
# number.


# %% answer 3.2 | And back to poses | 4 points | code
def join(now: Tensor, direction: Tensor, magnitude: Tensor, size: tuple[int, int]) -> Tensor:
    """The poses that predicted steps lead to.

    Args:
        now: the pose before the first of the steps, (B, J, 2) in pixels.
        direction: (B, K, J, 2).
        magnitude: (B, K, 2), any numbers.
        size: height and width of the picture in pixels.

    Returns:
        The poses at the ends of the steps, (B, K, J, 2) in pixels.
    """
    # BEGIN SOLUTION
    height, width = size
    length = torch.log((0.1 * magnitude + 1.1).clamp(min=1))
    velocity = direction / 5 * length.unsqueeze(2)
    return now.unsqueeze(1) + velocity.cumsum(1) * torch.tensor([width, height])
    # END SOLUTION


# %% probes 3.2
def probes(random):
    def case(b, k, j, size):
        now, length = random.uniform(b, j, 2) * min(size), random.uniform(b, k, 2) * 2
        return now, random.normal(b, k, j, 2), length, size

    yield Probe("one step, a square picture", case(1, 1, 2, (50, 50)))
    yield Probe("a wide picture", case(1, 1, 2, (40, 80)))
    yield Probe("two bodies, three steps", case(2, 3, 2, (48, 64)))
    now, direction, length, size = case(1, 2, 2, (40, 60))
    yield Probe("slower than standing still", (now, direction, -1.5 - length, size), share=0.25)
    yield Probe("a magnitude of −20", (now, direction, -20 + length, size), share=0.25)


# %% mistake 3.2 | every step from now
# The first step is right, the later ones all start at the present pose. Each starts where the one before it ended.
def join(now, direction, magnitude, size):
    length = torch.log((0.1 * magnitude + 1.1).clamp(min=1))
    velocity = direction / 5 * length.unsqueeze(2)
    return now.unsqueeze(1) + velocity * torch.tensor(size[::-1])


# %% mistake 3.2 | width and height exchanged
# Right for a square picture only: width and height are exchanged. A size is height, then width; a pose is x, then y.
def join(now, direction, magnitude, size):
    length = torch.log((0.1 * magnitude + 1.1).clamp(min=1))
    velocity = direction / 5 * length.unsqueeze(2)
    return now.unsqueeze(1) + velocity.cumsum(1) * torch.tensor(size)


# %% mistake 3.2 | fractions added to pixels
# The velocities are in fractions of the picture, the pose is in pixels. Bring them together before you add.
def join(now, direction, magnitude, size):
    length = torch.log((0.1 * magnitude + 1.1).clamp(min=1))
    velocity = direction / 5 * length.unsqueeze(2)
    return now.unsqueeze(1) + velocity.cumsum(1)


# %% mistake 3.2 | the magnitude for the length
# The magnitude was taken for the length. Solve m = (exp|v| − 1.1)/0.1 for |v| first.
def join(now, direction, magnitude, size):
    velocity = direction / 5 * magnitude.clamp(min=0).unsqueeze(2)
    return now.unsqueeze(1) + velocity.cumsum(1) * torch.tensor(size[::-1])


# %% mistake 3.2 | the logarithm left out
# The logarithm is missing on the way back: 0.1 m + 1.1 is the exponential of the length.
def join(now, direction, magnitude, size):
    length = (0.1 * magnitude + 0.1).clamp(min=0)
    velocity = direction / 5 * length.unsqueeze(2)
    return now.unsqueeze(1) + velocity.cumsum(1) * torch.tensor(size[::-1])


# %% mistake 3.2 | directions of length 5 taken for length 1
# The steps are five times too long: a direction has length 5.
def join(now, direction, magnitude, size):
    length = torch.log((0.1 * magnitude + 1.1).clamp(min=1))
    velocity = direction * length.unsqueeze(2)
    return now.unsqueeze(1) + velocity.cumsum(1) * torch.tensor(size[::-1])


# %% mistake 3.2 | a step backwards
# A magnitude below −1 gives a negative length, or none at all: the body goes backwards, or nowhere that is a number. Stop it at
# that of standing still.
def join(now, direction, magnitude, size):
    length = torch.log(0.1 * magnitude + 1.1)
    velocity = direction / 5 * length.unsqueeze(2)
    return now.unsqueeze(1) + velocity.cumsum(1) * torch.tensor(size[::-1])


# %% mistake 3.2 | not a number replaced by zero
# What is no number was replaced by 0, but between −11 and −1 the length is negative and still is a number. Stop the magnitude at −1
# instead.
def join(now, direction, magnitude, size):
    length = torch.nan_to_num(torch.log(0.1 * magnitude + 1.1))
    velocity = direction / 5 * length.unsqueeze(2)
    return now.unsqueeze(1) + velocity.cumsum(1) * torch.tensor(size[::-1])


# %% mistake 3.2 | the present pose left out
# These are displacements. Add the pose that the first step starts from.
def join(now, direction, magnitude, size):
    length = torch.log((0.1 * magnitude + 1.1).clamp(min=1))
    velocity = direction / 5 * length.unsqueeze(2)
    return velocity.cumsum(1) * torch.tensor(size[::-1])


# %% mistake 3.2 | the present pose included | names: shape
def join(now, direction, magnitude, size):
    length = torch.log((0.1 * magnitude + 1.1).clamp(min=1))
    steps = direction / 5 * length.unsqueeze(2) * torch.tensor(size[::-1])
    return torch.cat([now.unsqueeze(1), steps], 1).cumsum(1)


# %% alternative 3.2 | step by step, in float64
def join(now, direction, magnitude, size):
    pose, poses = now.double(), []
    for d, m in zip(direction.unbind(1), magnitude.double().unbind(1), strict=True):
        length = torch.where(m > -1, torch.log1p(0.1 * m.clamp(min=-1) + 0.1), 0.0)
        pose = pose + d * length[:, None] / 5 * torch.tensor([size[1], size[0]])
        poses.append(pose)
    return torch.stack(poses, 1)


# %% alternative 3.2 | the library's way back
def join(now, direction, magnitude, size):
    velocity = pose_futures.direction_magnitude_to_velocity(direction, magnitude)
    return now[:, None] + velocity.cumsum(1) * now.new_tensor(size[::-1])


# %% [markdown]
# ## 3.3 Codes in pairs
#
# *15 minutes, 3 points.* One draw from $q$ is a noisy estimate. A cheap improvement: use each draw twice, with both signs
# of the noise, $\mu + \sigma \odot \varepsilon$ and $\mu - \sigma \odot \varepsilon$. Then the codes' mean is exactly $\mu$, whatever was
# drawn. The encoder writes $\log \sigma^2$. A gradient must flow to both of its outputs.


# %% answer 3.3 | Codes in pairs | 3 points | code
def codes(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Codes from q in pairs.

    Args:
        mean: mu, (B, Z).
        log_variance: log of sigma squared, (B, Z).
        noise: epsilon, n draws for each example, (B, n, Z).

    Returns:
        (B, 2 n, Z): first the n codes with the noise as it is, then the n with its sign
        turned round.
    """
    # BEGIN SOLUTION
    spread = (0.5 * log_variance).exp().unsqueeze(1) * noise
    return mean.unsqueeze(1) + torch.cat([spread, -spread], dim=1)
    # END SOLUTION


# %% probes 3.3
def probes(random):
    def case(b, n, z):
        return random.normal(b, z), random.normal(b, z), random.normal(b, n, z)

    yield Probe("one draw", case(1, 1, 3))
    yield Probe("three draws for two examples", case(2, 3, 2))
    yield Probe("as many draws as examples", case(2, 2, 2))
    yield Probe("its gradient", case(2, 1, 2), "gradient", share=0.25)


# %% mistake 3.3 | the variance for the spread
# The noise is multiplied by the variance. Its factor is σ, and the encoder writes log σ²: half of it is missing.
def codes(mean, log_variance, noise):
    spread = log_variance.exp().unsqueeze(1) * noise
    return mean.unsqueeze(1) + torch.cat([spread, -spread], dim=1)


# %% mistake 3.3 | half the variance
# The half stands outside the exponential. It belongs inside: σ is the root of exp(log σ²).
def codes(mean, log_variance, noise):
    spread = (0.5 * log_variance.exp()).unsqueeze(1) * noise
    return mean.unsqueeze(1) + torch.cat([spread, -spread], dim=1)


# %% mistake 3.3 | the logarithm for the spread
# The log variance was taken for σ itself. It may be negative; a spread may not.
def codes(mean, log_variance, noise):
    spread = log_variance.unsqueeze(1) * noise
    return mean.unsqueeze(1) + torch.cat([spread, -spread], dim=1)


# %% mistake 3.3 | the sign of the whole code
# The whole code changes its sign, mean and all. Only the noise does.
def codes(mean, log_variance, noise):
    z = mean.unsqueeze(1) + (0.5 * log_variance).exp().unsqueeze(1) * noise
    return torch.cat([z, -z], dim=1)


# %% mistake 3.3 | pairs side by side
# The values are right, but each code stands beside its partner. Asked are first all codes of one sign, then all of the other.
def codes(mean, log_variance, noise):
    spread = (0.5 * log_variance).exp().unsqueeze(1) * noise
    return mean.unsqueeze(1) + torch.stack([spread, -spread], dim=2).flatten(1, 2)


# %% mistake 3.3 | no pairs
# Each draw is used once only. Use it twice, with both signs.
def codes(mean, log_variance, noise):
    return mean.unsqueeze(1) + (0.5 * log_variance).exp().unsqueeze(1) * noise


# %% mistake 3.3 | examples and draws mixed up
# Mean and variance need an axis of size 1 for the draws, in the middle. Without it they are matched with the wrong axis, and if there are
# as many draws as examples, no error tells.
def codes(mean, log_variance, noise):
    spread = (0.5 * log_variance).exp() * noise
    return mean + torch.cat([spread, -spread], dim=1)[:, : 2 * noise.shape[1]]


# %% mistake 3.3 | another draw
# The noise that is given is not used. Draw nothing anew: with the noise as an input, the same call gives the same codes.
def codes(mean, log_variance, noise):
    spread = (0.5 * log_variance).exp().unsqueeze(1) * torch.ones_like(noise)
    return mean.unsqueeze(1) + torch.cat([spread, -spread], dim=1)


# %% mistake 3.3 | a draw without a gradient | names: gradient
def codes(mean, log_variance, noise):
    with torch.no_grad():
        spread = (0.5 * log_variance).exp().unsqueeze(1) * noise
        return mean.unsqueeze(1) + torch.cat([spread, -spread], dim=1)


# %% alternative 3.3 | a root, in float64
def codes(mean, log_variance, noise):
    sigma = log_variance.double().exp().sqrt()
    signed = torch.cat([noise, -noise], dim=1)
    return torch.einsum("bz,bnz->bnz", sigma, signed.double()) + mean[:, None]


# %% alternative 3.3 | draw by draw, with the library's function
def codes(mean, log_variance, noise):
    draws = [*noise.unbind(1), *(-noise).unbind(1)]
    return torch.stack([pose_futures.reparameterise(mean, log_variance, e) for e in draws], 1)


# %% [markdown]
# ## 3.4 The price of a code, for any prior
#
# *25 minutes, 4 points.* In the chapter the prior is $\mathcal{N}(0, I)$. Let it be any normal distribution with
# independent components, say one that a network has learned from the past: mean $\nu$, variances $\tau^2$. Derive
# the divergence $\mathrm{KL}(q \,\|\, p)$ on paper, as the chapter does, and write it: summed over the components of $z$,
# as a **mean over the examples**.
#
# It must stay exact where both variances are huge: the logarithms may be as large as 100.


# %% answer 3.4 | The price of a code, for any prior | 4 points | code
def kl(
    mean: Tensor, log_variance: Tensor, prior_mean: Tensor, prior_log_variance: Tensor
) -> Tensor:
    """KL(q || p) of two normal distributions, in nats.

    Args:
        mean, log_variance: of q, (B, Z).
        prior_mean, prior_log_variance: of p, (B, Z).

    Returns:
        A scalar: the mean over the examples.
    """
    # BEGIN SOLUTION
    log_ratio = log_variance - prior_log_variance
    distance = (mean - prior_mean).square() * (-prior_log_variance).exp()
    return 0.5 * (log_ratio.exp() + distance - 1 - log_ratio).sum(-1).mean()
    # END SOLUTION


# %% probes 3.4
def probes(random):
    def case(b, z):
        return tuple(random.normal(b, z) for _ in range(4))

    same = case(2, 2)[:2]
    yield Probe("q is the prior", (*same, *same))
    mean, log_variance, *_ = case(1, 3)
    zero = torch.zeros(1, 3)
    yield Probe("the prior is N(0, I)", (mean, log_variance, zero, zero))
    yield Probe("only the means differ", (mean, zero, zero, zero + 1))
    yield Probe("two examples, three components", case(2, 3))
    yield Probe("three examples, two components", case(3, 2))
    huge = torch.tensor([[100.0, 90.0]])
    yield Probe(
        "log variances of 100", (mean[:, :2], huge, mean[:, 1:], huge.flip(1) + 5), share=0.25
    )
    yield Probe("its gradient", case(1, 2), "gradient", share=0.25)


# %% mistake 3.4 | mean over the components
# The components of z are averaged. They are summed: each costs on its own.
def kl(mean, log_variance, prior_mean, prior_log_variance):
    log_ratio = log_variance - prior_log_variance
    distance = (mean - prior_mean).square() * (-prior_log_variance).exp()
    return 0.5 * (log_ratio.exp() + distance - 1 - log_ratio).mean()


# %% mistake 3.4 | sum over the examples
# The examples are summed. Take their mean, or the price grows with the batch.
def kl(mean, log_variance, prior_mean, prior_log_variance):
    log_ratio = log_variance - prior_log_variance
    distance = (mean - prior_mean).square() * (-prior_log_variance).exp()
    return 0.5 * (log_ratio.exp() + distance - 1 - log_ratio).sum()


# %% mistake 3.4 | the other way round
# This is the divergence of the prior from q. Its expectation is taken under the prior; ours is taken under q.
def kl(mean, log_variance, prior_mean, prior_log_variance):
    log_ratio = prior_log_variance - log_variance
    distance = (mean - prior_mean).square() * (-log_variance).exp()
    return 0.5 * (log_ratio.exp() + distance - 1 - log_ratio).sum(-1).mean()


# %% mistake 3.4 | minus one forgotten
# A q that is the prior costs nothing. A constant is missing: 1 for each component.
def kl(mean, log_variance, prior_mean, prior_log_variance):
    log_ratio = log_variance - prior_log_variance
    distance = (mean - prior_mean).square() * (-prior_log_variance).exp()
    return 0.5 * (log_ratio.exp() + distance - log_ratio).sum(-1).mean()


# %% mistake 3.4 | the half forgotten
# Twice too much: the half in front is missing.
def kl(mean, log_variance, prior_mean, prior_log_variance):
    log_ratio = log_variance - prior_log_variance
    distance = (mean - prior_mean).square() * (-prior_log_variance).exp()
    return (log_ratio.exp() + distance - 1 - log_ratio).sum(-1).mean()


# %% mistake 3.4 | the spread for the variance
# The ratio of the spreads stands where that of the variances belongs: a half too many in an exponential.
def kl(mean, log_variance, prior_mean, prior_log_variance):
    log_ratio = log_variance - prior_log_variance
    distance = (mean - prior_mean).square() * (-prior_log_variance).exp()
    return 0.5 * ((0.5 * log_ratio).exp() + distance - 1 - log_ratio).sum(-1).mean()


# %% mistake 3.4 | half the log variance missing
# Half of the logarithm has been lost: the term is log σ² − log τ², and the half in front is that of the whole sum.
def kl(mean, log_variance, prior_mean, prior_log_variance):
    log_ratio = log_variance - prior_log_variance
    distance = (mean - prior_mean).square() * (-prior_log_variance).exp()
    return 0.5 * (log_ratio.exp() + distance - 1 - 0.5 * log_ratio).sum(-1).mean()


# %% mistake 3.4 | the prior forgotten
# That is right for the prior N(0, I). Here the prior has a mean and variances of its own.
def kl(mean, log_variance, prior_mean, prior_log_variance):
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1).mean()


# %% mistake 3.4 | the distance not measured in the prior's spread
# The distance of the means is counted in plain numbers. It counts in units of the prior's spread: far is what the prior finds far.
def kl(mean, log_variance, prior_mean, prior_log_variance):
    log_ratio = log_variance - prior_log_variance
    distance = (mean - prior_mean).square()
    return 0.5 * (log_ratio.exp() + distance - 1 - log_ratio).sum(-1).mean()


# %% mistake 3.4 | a quotient of exponentials
# The exponential of 100 is infinite in float32, and infinite divided by infinite is no number. Subtract the logarithms first.
def kl(mean, log_variance, prior_mean, prior_log_variance):
    q, p = log_variance.exp(), prior_log_variance.exp()
    each = (q + (mean - prior_mean).square()) / p - 1 - log_variance + prior_log_variance
    return 0.5 * each.sum(-1).mean()


# %% alternative 3.4 | torch.distributions
def kl(mean, log_variance, prior_mean, prior_log_variance):
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    p = torch.distributions.Normal(prior_mean, (0.5 * prior_log_variance).exp())
    return torch.distributions.kl_divergence(q, p).sum(1).mean()


# %% alternative 3.4 | example by example, as seen from the prior, in float64
def kl(mean, log_variance, prior_mean, prior_log_variance):
    scale = (-0.5 * prior_log_variance.double()).exp()
    moved, changed = (mean - prior_mean) * scale, log_variance.double() - prior_log_variance
    return sum(
        pose_futures.gaussian_kl(a, b).sum() for a, b in zip(moved, changed, strict=True)
    ) / len(mean)


# %% [markdown]
# ## 3.5 Replay the past
#
# *20 minutes, 3 points.* The past decoder starts from $H_t$, reads **nothing but zeros**, and must write down the past
# velocities again, **the last one first**. You get one step of such a decoder, `step`. It takes what is read and a
# memory, and gives what is written and the memory after it. Compute the replay's loss: the mean squared error over
# all steps and numbers. It must move the memory it started from.


# %% answer 3.5 | Replay the past | 3 points | code
def replay_loss(step, memory: Tensor, velocities: Tensor) -> Tensor:
    """How badly a memory lets the past be told again, from the last step to the first.

    Args:
        step: called with what is read and a memory, gives what is written and the memory after
            it, each (B, n).
        memory: H_t, (B, n).
        velocities: of the past, the first step first, (B, K, n).

    Returns:
        A scalar.
    """
    # BEGIN SOLUTION
    said = []
    for _ in range(velocities.shape[1]):
        written, memory = step(torch.zeros_like(velocities[:, 0]), memory)
        said.append(written)
    return F.mse_loss(torch.stack(said, dim=1), velocities.flip(1))
    # END SOLUTION


# %% probes 3.5
def probes(random):
    def case(b, k, n):
        return random.normal(n, n), random.normal(b, n), random.normal(b, k, n)

    yield Probe("a single step", case(1, 1, 2), "replay")
    yield Probe("two steps", case(1, 2, 2), "replay")
    yield Probe("three steps of two bodies", case(2, 3, 2), "replay")
    yield Probe("as many bodies as steps and numbers", case(2, 2, 2), "replay")


# %% mistake 3.5 | in the order of time
# A single step is right, several are told in the order of time. The decoder writes the last step first, so compare with the past backwards.
def replay_loss(step, memory, velocities):
    said = []
    for _ in range(velocities.shape[1]):
        written, memory = step(torch.zeros_like(velocities[:, 0]), memory)
        said.append(written)
    return F.mse_loss(torch.stack(said, dim=1), velocities)


# %% mistake 3.5 | numbers backwards
# The wrong axis was turned round: the steps run backwards, axis 1, not the numbers of one velocity.
def replay_loss(step, memory, velocities):
    said = []
    for _ in range(velocities.shape[1]):
        written, memory = step(torch.zeros_like(velocities[:, 0]), memory)
        said.append(written)
    return F.mse_loss(torch.stack(said, dim=1), velocities.flip(2))


# %% mistake 3.5 | the truth is read
# The decoder is shown true velocities. It reads zeros, so that what it tells can only come from its memory.
def replay_loss(step, memory, velocities):
    said = []
    for true in velocities.flip(1).unbind(1):
        written, memory = step(true, memory)
        said.append(written)
    return F.mse_loss(torch.stack(said, dim=1), velocities.flip(1))


# %% mistake 3.5 | its own words are read
# The first step is right; then the decoder reads what it has just written. It reads zeros at every step.
def replay_loss(step, memory, velocities):
    said, written = [], torch.zeros_like(velocities[:, 0])
    for _ in range(velocities.shape[1]):
        written, memory = step(written, memory)
        said.append(written)
    return F.mse_loss(torch.stack(said, dim=1), velocities.flip(1))


# %% mistake 3.5 | the memory is not handed on
# Each step starts from the same memory, so all of them write the same. Hand on the memory that a step gives back.
def replay_loss(step, memory, velocities):
    said = []
    for _ in range(velocities.shape[1]):
        written, _after = step(torch.zeros_like(velocities[:, 0]), memory)
        said.append(written)
    return F.mse_loss(torch.stack(said, dim=1), velocities.flip(1))


# %% mistake 3.5 | what is written and the memory exchanged
# The two results of a step have changed places: what is written comes first, the memory second.
def replay_loss(step, memory, velocities):
    said = []
    for _ in range(velocities.shape[1]):
        memory, written = step(torch.zeros_like(velocities[:, 0]), memory)
        said.append(written)
    return F.mse_loss(torch.stack(said, dim=1), velocities.flip(1))


# %% mistake 3.5 | sum for mean
# The errors are summed. Take the mean over all steps and numbers.
def replay_loss(step, memory, velocities):
    error = 0
    for true in velocities.flip(1).unbind(1):
        written, memory = step(torch.zeros_like(true), memory)
        error = error + (written - true).square().sum()
    return error


# %% mistake 3.5 | the memory cut off
# The loss is right, but it does not move the memory: that was cut off. It is the encoder, through the memory, that is to learn from this
# loss.
def replay_loss(step, memory, velocities):
    said, memory = [], memory.detach().requires_grad_()
    for _ in range(velocities.shape[1]):
        written, memory = step(torch.zeros_like(velocities[:, 0]), memory)
        said.append(written)
    return F.mse_loss(torch.stack(said, dim=1), velocities.flip(1))


# %% mistake 3.5 | the memory cut off between steps
# The loss is right, and the gradient is not: it reaches the memory from the first step only. Do not detach between the steps.
def replay_loss(step, memory, velocities):
    said = []
    for _ in range(velocities.shape[1]):
        written, memory = step(torch.zeros_like(velocities[:, 0]), memory)
        said.append(written)
        memory = memory.detach()
    return F.mse_loss(torch.stack(said, dim=1), velocities.flip(1))


# %% alternative 3.5 | step by step, in float64
def replay_loss(step, memory, velocities):
    error, k = 0.0, velocities.shape[1]
    for i in range(k):
        written, memory = step(0 * velocities[:, i], memory)
        error = error + (written.double() - velocities[:, k - 1 - i]).pow(2).mean() / k
    return error


# %% alternative 3.5 | what was said, turned round
def replay_loss(step, memory, velocities):
    said = []
    while len(said) < velocities.shape[1]:
        written, memory = step(torch.zeros_like(memory), memory)
        said.insert(0, written)
    return (torch.stack(said, 1) - velocities).square().mean()


# %% [markdown]
# ## 3.6 The best of n, where joints were seen
#
# *25 minutes, 4 points.* The detector that gives us the true future does not see every joint. So let the error of one
# sample be the mean squared distance **over those joints that were seen**, and $E_n$ the mean over the examples of the
# error of the best of the first $n$ samples:
#
# $$
# E_n = \frac{1}{N} \sum_{i=1}^{N} \min_{k \le n} \frac{\sum_{\tau, j} s_{i \tau j}\, | \hat p^{\,k}_{i \tau j} - p_{i \tau j} |^2}{\sum_{\tau, j} s_{i \tau j}} .
# $$
#
# Give the whole curve, from one sample to all of them.


# %% answer 3.6 | The best of n, where joints were seen | 4 points | code
def best_of_n(samples: Tensor, truth: Tensor, seen: Tensor) -> Tensor:
    """The error of the best of 1, 2, ... n samples.

    Args:
        samples: (N, n, T, J, 2) in pixels.
        truth: (N, T, J, 2) in pixels.
        seen: s, (N, T, J), 1 where a joint was seen and 0 elsewhere; at least one for each example.

    Returns:
        (n,), in square pixels.
    """
    # BEGIN SOLUTION
    distance = (samples - truth.unsqueeze(1)).square().sum(-1) * seen.unsqueeze(1)  # (N, n, T, J)
    errors = distance.sum((2, 3)) / seen.sum((1, 2)).unsqueeze(1)
    return errors.cummin(dim=1).values.mean(0)
    # END SOLUTION


# %% probes 3.6
def probes(random):
    def case(m, n, t, j, hidden):
        seen = (random.uniform(m, t, j) >= hidden).float()
        seen[:, 0, 0] = 1
        return random.normal(m, n, t, j, 2), random.normal(m, t, j, 2), seen

    yield Probe("one sample", case(2, 1, 2, 2, 0))
    yield Probe("three samples", case(2, 3, 2, 2, 0))
    yield Probe("hidden joints", case(2, 3, 2, 3, 0.6))
    yield Probe("as many samples as examples and steps", case(2, 2, 2, 2, 0.5))
    yield Probe("five samples", case(3, 5, 1, 1, 0))


# %% mistake 3.6 | the mean of the samples' errors
# This is how bad the samples are on average. Take the best of them, for each example.
def best_of_n(samples, truth, seen):
    distance = (samples - truth.unsqueeze(1)).square().sum(-1) * seen.unsqueeze(1)
    errors = distance.sum((2, 3)) / seen.sum((1, 2)).unsqueeze(1)
    return (errors.cumsum(1) / torch.arange(1, errors.shape[1] + 1)).mean(0)


# %% mistake 3.6 | one sample for all examples
# One number k was chosen for all examples together. Each example has a best sample of its own: take the minimum before the mean.
def best_of_n(samples, truth, seen):
    distance = (samples - truth.unsqueeze(1)).square().sum(-1) * seen.unsqueeze(1)
    errors = distance.sum((2, 3)) / seen.sum((1, 2)).unsqueeze(1)
    return errors.mean(0).cummin(0).values


# %% mistake 3.6 | the best of each joint
# Each joint was taken from another sample, whichever had it best. The best sample is one whole future: take the mean before the minimum.
def best_of_n(samples, truth, seen):
    distance = (samples - truth.unsqueeze(1)).square().sum(-1) * seen.unsqueeze(1)
    best = distance.cummin(1).values
    return (best.sum((2, 3)) / seen.sum((1, 2)).unsqueeze(1)).mean(0)


# %% mistake 3.6 | each sample by itself
# These are the errors of the first sample, the second, and so on. Asked is the best of all up to it, which can only fall.
def best_of_n(samples, truth, seen):
    distance = (samples - truth.unsqueeze(1)).square().sum(-1) * seen.unsqueeze(1)
    return (distance.sum((2, 3)) / seen.sum((1, 2)).unsqueeze(1)).mean(0)


# %% mistake 3.6 | sorted
# The errors were sorted. The curve falls, but its first value must be that of the first sample, not of the worst.
def best_of_n(samples, truth, seen):
    distance = (samples - truth.unsqueeze(1)).square().sum(-1) * seen.unsqueeze(1)
    errors = distance.sum((2, 3)) / seen.sum((1, 2)).unsqueeze(1)
    return errors.sort(dim=1, descending=True).values.mean(0)


# %% mistake 3.6 | only the end of the curve
# This is the last value of the curve only. Give the best of one, of two, and so on.
def best_of_n(samples, truth, seen):
    distance = (samples - truth.unsqueeze(1)).square().sum(-1) * seen.unsqueeze(1)
    return (distance.sum((2, 3)) / seen.sum((1, 2)).unsqueeze(1)).amin(1).mean()


# %% mistake 3.6 | hidden joints counted
# Hidden joints are counted as if they had been seen. What the detector did not see has no true place.
def best_of_n(samples, truth, seen):
    errors = (samples - truth.unsqueeze(1)).square().sum(-1).mean((2, 3))
    return errors.cummin(dim=1).values.mean(0)


# %% mistake 3.6 | divided by all joints
# Hidden joints are left out of the sum, but still counted in what it is divided by. That rewards hiding.
def best_of_n(samples, truth, seen):
    distance = (samples - truth.unsqueeze(1)).square().sum(-1) * seen.unsqueeze(1)
    return distance.mean((2, 3)).cummin(dim=1).values.mean(0)


# %% mistake 3.6 | mean over x and y
# Half of what it should be: the squares of x and y are added up, which gives the squared distance. They are not averaged.
def best_of_n(samples, truth, seen):
    distance = (samples - truth.unsqueeze(1)).square().mean(-1) * seen.unsqueeze(1)
    errors = distance.sum((2, 3)) / seen.sum((1, 2)).unsqueeze(1)
    return errors.cummin(dim=1).values.mean(0)


# %% mistake 3.6 | distances not squared
# These are distances. The formula has their squares.
def best_of_n(samples, truth, seen):
    distance = (samples - truth.unsqueeze(1)).norm(dim=-1) * seen.unsqueeze(1)
    errors = distance.sum((2, 3)) / seen.sum((1, 2)).unsqueeze(1)
    return errors.cummin(dim=1).values.mean(0)


# %% alternative 3.6 | n by n, in float64
def best_of_n(samples, truth, seen):
    share = seen.double() / seen.double().sum((1, 2), keepdim=True)
    errors = torch.einsum("nktjc,ntj->nk", (samples - truth[:, None]).double() ** 2, share)
    return [errors[:, : k + 1].min(1).values.mean() for k in range(errors.shape[1])]


# %% alternative 3.6 | example by example
def best_of_n(samples, truth, seen):
    curves = []
    for futures, future, there in zip(samples, truth, seen.bool(), strict=True):
        best, curve = torch.tensor(float("inf")), []
        for sample in futures:
            error = (sample - future)[there].square().sum(-1).mean()
            best = torch.minimum(best, error)
            curve.append(best)
        curves.append(torch.stack(curve))
    return torch.stack(curves).mean(0)


# %% [markdown]
# ## 3.7 The painter and its critic
#
# *25 minutes, 4 points.* Write both losses of Pose-GAN in the slide's way: of a batch of $M$ films the **first half** is
# shown to $D$ as filmed, and $G$ paints the **second half** anew from its skeletons. With $n = n' = M/2$, $l$ the binary
# cross-entropy and the weights $w_i = 1$,
#
# $$
# \begin{aligned}
# L_D &= \frac{1}{n'} \sum_{i} l\big(D(V_i), l_r\big) + \frac{1}{n} \sum_{i} l\big(D(G(S_i)), l_f\big), \\
# L_G &= \frac{1}{n} \sum_{i} \Big[ l\big(D(G(S_i)), l_r\big) + \alpha\, \overline{\big| G(S_i) - V_i \big|} \Big].
# \end{aligned}
# $$
#
# Each loss moves its own player: $L_D$ leaves $G$'s weights alone, and $L_G$ reaches them, through $D$ too. (That $L_G$ leaves
# gradients in $D$ is fine here.) For short, the first frame is part of what $S_i$ holds, and a film is a row of numbers.


# %% answer 3.7 | The painter and its critic | 4 points | code
def pose_gan_losses(
    generator: nn.Module, discriminator: nn.Module, films: Tensor, skeletons: Tensor, alpha: float
) -> tuple[Tensor, Tensor]:
    """The losses of Pose-GAN's players on one batch.

    Args:
        generator: skeletons (B, k) to films (B, n).
        discriminator: films (B, n) to logits (B, 1).
        films: V, (M, n), M even.
        skeletons: S, (M, k).
        alpha: weight of the L1 term.

    Returns:
        The loss of D and the loss of G, two scalars.
    """
    # BEGIN SOLUTION
    real, wanted = films.chunk(2)
    fake = generator(skeletons.chunk(2)[1])
    on_real, on_fake = discriminator(real), discriminator(fake.detach())
    d_loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    g_loss = F.softplus(-discriminator(fake)).mean() + alpha * (fake - wanted).abs().mean()
    return d_loss, g_loss
    # END SOLUTION


# %% probes 3.7
def probes(random):
    def case(m, alpha):
        networks = random.normal(2, 2), random.normal(2, 1)
        return (*networks, random.normal(m, 2), random.normal(m, 2), alpha)

    yield Probe("without the L1 term (alpha = 0)", case(4, 0.0), "players")
    yield Probe("four films", case(4, 2.0), "players")
    yield Probe("six films", case(6, 10.0), "players")


# %% mistake 3.7 | no detach
# D's loss moves G. While D learns, the painted films must be cut off from the generator that made them.
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    real, wanted = films.chunk(2)
    fake = generator(skeletons.chunk(2)[1])
    d_loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()
    g_loss = F.softplus(-discriminator(fake)).mean() + alpha * (fake - wanted).abs().mean()
    return d_loss, g_loss


# %% mistake 3.7 | detached for both
# G's loss does not reach G: what G is judged by is cut off from it as well. Only D's loss needs the cut.
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    real, wanted = films.chunk(2)
    fake = generator(skeletons.chunk(2)[1]).detach()
    d_loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()
    g_loss = F.softplus(-discriminator(fake)).mean() + alpha * (fake - wanted).abs().mean()
    return d_loss, g_loss


# %% mistake 3.7 | G moved by L1 only
# The value of G's loss is right, but only its L1 term moves G: the adversarial one is cut off on its way through D.
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    real, wanted = films.chunk(2)
    fake = generator(skeletons.chunk(2)[1])
    on_real, on_fake = discriminator(real), discriminator(fake.detach())
    d_loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    g_loss = F.softplus(-on_fake).mean() + alpha * (fake - wanted).abs().mean()
    return d_loss, g_loss


# %% mistake 3.7 | all films twice
# All films are shown as filmed and all are painted anew. That is what the authors' code does; asked is the slide's way, with halves.
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    fake = generator(skeletons)
    on_real, on_fake = discriminator(films), discriminator(fake.detach())
    d_loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    g_loss = F.softplus(-discriminator(fake)).mean() + alpha * (fake - films).abs().mean()
    return d_loss, g_loss


# %% mistake 3.7 | compared with the wrong films
# The painted films are compared with the first half, which shows other people. Compare them with those that their skeletons came from.
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    real = films.chunk(2)[0]
    fake = generator(skeletons.chunk(2)[1])
    on_real, on_fake = discriminator(real), discriminator(fake.detach())
    d_loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    g_loss = F.softplus(-discriminator(fake)).mean() + alpha * (fake - real).abs().mean()
    return d_loss, g_loss


# %% mistake 3.7 | halves exchanged
# The halves have changed places: the first is shown as filmed, the second is painted.
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    wanted, real = films.chunk(2)
    fake = generator(skeletons.chunk(2)[0])
    on_real, on_fake = discriminator(real), discriminator(fake.detach())
    d_loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    g_loss = F.softplus(-discriminator(fake)).mean() + alpha * (fake - wanted).abs().mean()
    return d_loss, g_loss


# %% mistake 3.7 | squared error
# The differences are squared. The term is L1, absolute differences, which blur less.
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    real, wanted = films.chunk(2)
    fake = generator(skeletons.chunk(2)[1])
    on_real, on_fake = discriminator(real), discriminator(fake.detach())
    d_loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    g_loss = F.softplus(-discriminator(fake)).mean() + alpha * (fake - wanted).square().mean()
    return d_loss, g_loss


# %% mistake 3.7 | L1 summed
# The absolute differences are summed over the film. The bar is a mean, so that alpha does not depend on a film's size.
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    real, wanted = films.chunk(2)
    fake = generator(skeletons.chunk(2)[1])
    on_real, on_fake = discriminator(real), discriminator(fake.detach())
    d_loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    g_loss = F.softplus(-discriminator(fake)).mean() + alpha * (fake - wanted).abs().sum(1).mean()
    return d_loss, g_loss


# %% mistake 3.7 | labels exchanged in L_D
# D's loss has its labels exchanged: it is small where D calls painted films real.
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    real, wanted = films.chunk(2)
    fake = generator(skeletons.chunk(2)[1])
    on_real, on_fake = discriminator(real), discriminator(fake.detach())
    d_loss = F.softplus(on_real).mean() + F.softplus(-on_fake).mean()
    g_loss = F.softplus(-discriminator(fake)).mean() + alpha * (fake - wanted).abs().mean()
    return d_loss, g_loss


# %% mistake 3.7 | G plays for D
# G's loss is small where D recognises its films: here G helps D. Its films want the label "real".
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    real, wanted = films.chunk(2)
    fake = generator(skeletons.chunk(2)[1])
    on_real, on_fake = discriminator(real), discriminator(fake.detach())
    d_loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    g_loss = F.softplus(discriminator(fake)).mean() + alpha * (fake - wanted).abs().mean()
    return d_loss, g_loss


# %% mistake 3.7 | in the wrong order
# The two losses come back in the wrong order: D's first, then G's.
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    real, wanted = films.chunk(2)
    fake = generator(skeletons.chunk(2)[1])
    on_real, on_fake = discriminator(real), discriminator(fake.detach())
    d_loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    g_loss = F.softplus(-discriminator(fake)).mean() + alpha * (fake - wanted).abs().mean()
    return g_loss, d_loss


# %% mistake 3.7 | alpha on the wrong term
# Alpha weighs the adversarial term here. It belongs to L1: with alpha = 0 the game alone is left.
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    real, wanted = films.chunk(2)
    fake = generator(skeletons.chunk(2)[1])
    on_real, on_fake = discriminator(real), discriminator(fake.detach())
    d_loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    g_loss = alpha * F.softplus(-discriminator(fake)).mean() + (fake - wanted).abs().mean()
    return d_loss, g_loss


# %% alternative 3.7 | cross-entropy, and two passes of G
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    entropy, half = F.binary_cross_entropy_with_logits, len(films) // 2
    with torch.no_grad():
        still = generator(skeletons[half:])
    a, b = discriminator(films[:half]), discriminator(still)
    fake = generator(skeletons[half:])
    c = discriminator(fake)
    g_loss = entropy(c, torch.ones_like(c)) + alpha * F.l1_loss(fake, films[half:])
    return entropy(a, torch.ones_like(a)) + entropy(b, torch.zeros_like(b)), g_loss


# %% alternative 3.7 | the library's losses
def pose_gan_losses(generator, discriminator, films, skeletons, alpha):
    half = len(films) // 2
    fake = generator(skeletons[half:])
    loss = gan_objective.discriminator_loss(
        discriminator(films[:half]), discriminator(fake.detach()), kind="non_saturating"
    )
    adversarial = gan_objective.generator_loss(discriminator(fake), kind="non_saturating")
    return [loss.total, adversarial + alpha * (fake - films[half:]).abs().mean()]


# %% [markdown]
# ## 3.8 How much should a code cost?
#
# *20 minutes, 3 points.* A world with four futures: one joint ends at one of the four corners of a square, each as often as
# the others, and the past says nothing about which. A small VAE learns it with **your** `codes` and `kl`.

# %%
# Setup: the four futures, and a VAE that learns them with your functions
FUTURES = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
STANDARD = torch.zeros(1, 2)  # mean and log variance of N(0, I)


def network(n):
    return nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, n))


def train_vae(weight, steps=800):
    """An encoder, a future to mean and log variance (B, 4), and a decoder, z to a future."""
    torch.manual_seed(0)
    encoder, decoder = network(4), network(2)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-2)
    for _ in tqdm(range(steps), desc=f"weight {weight}"):
        future = FUTURES[torch.randint(4, (64,))]
        mean, log_variance = encoder(future).chunk(2, dim=1)
        z = codes(mean, log_variance, torch.randn(64, 1, 2))
        error = (decoder(z) - future[:, None]).square().sum(-1).mean()
        loss = error + weight * kl(mean, log_variance, STANDARD, STANDARD)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder, decoder


@torch.no_grad()
def near_a_future(decoder, n=4000):
    """How many of n codes from the prior are decoded to within 0.5 of one of the four futures."""
    z = torch.randn(n, 2, generator=torch.Generator().manual_seed(1))
    return (torch.cdist(decoder(z), FUTURES).amin(1) < 0.5).float().mean().item()


# %% [markdown]
# Train it with the weights 0.02, 0.2 and 4. For each, give the trained encoder's divergence from the prior, $\mathrm{KL}(q \,\|\,
# \mathcal{N}(0, I))$, in nats, as the mean over the four futures. For 3.9, also look at `near_a_future`.

# %% answer 3.8 | How much should a code cost? | 3 points | value
# BEGIN SOLUTION: nats = ...  # three numbers, for the weights 0.02, 0.2 and 4
nats = []
for weight in (0.02, 0.2, 4):
    encoder, decoder = train_vae(weight)
    with torch.no_grad():
        mean, log_variance = encoder(FUTURES).chunk(2, dim=1)
        nats.append(kl(mean, log_variance, STANDARD, STANDARD).item())
    print(weight, nats[-1], near_a_future(decoder))
# END SOLUTION


# %% probes 3.8
def probes(random):
    bands = [(2.35, 4.0), (1.38, 2.3), (-0.001, 0.1)]
    yield Probe("three numbers", measure="value", expected=[{"between": b} for b in bands])


# %% mistake 3.8 | summed over the futures
# Four times too much: the mean over the four futures is asked for, not the sum.
nats = [10.9, 7.3, 0.0]

# %% mistake 3.8 | averaged over the components
# Half of it: a code's components are summed. Is 3.4 passed?
nats = [1.36, 0.91, 0.0]

# %% mistake 3.8 | largest weight first
# The dearer a code, the less of it is used: are the three in the order of the weights?
nats = [0.0, 1.8, 2.7]

# %% mistake 3.8 | the weighted term
# This is the term of the loss, weight included. Asked is the divergence itself.
nats = [0.055, 0.37, 0.0]

# %% mistake 3.8 | in bits
# These are bits, 1.44 to a nat. Use natural logarithms.
nats = [3.94, 2.62, 0.0]

# %% alternative 3.8 | a tensor
nats = torch.tensor([2.66, 1.82, 0.003])

# %% [markdown]
# ## 3.9 In words
#
# *20 minutes, 4 points, marked by a person.* In about 180 words: **(a)** Four equally likely futures are worth $\ln 4
# \approx 1.39$ nats. Explain your three numbers with it. **(b)** Which weight would you choose, and what goes wrong at each of
# the other two when futures are drawn from the prior? **(c)** Your colleague trains with the largest weight, sees a falling loss and no
# error, and reports a best-of-20 error that is no better than that of one sample. What has happened, and what should the colleague have
# printed? **(d)** The past decoder has no part in a forecast. Why train it?

# %% answer 3.9 | In words | 4 points | text
# BEGIN SOLUTION: answer_3_9 = """ """
answer_3_9 = """
(a) Telling four equally likely futures apart takes at least ln 4 = 1.39 nats. With weight 0.2 the code costs a little more than
that: it says which future it is and hardly anything else. With 0.02 it costs about twice as much; the surplus buys accuracy, posteriors much
narrower than needed. With 4 it costs nothing: q is the prior, and z says nothing.

(b) 0.2. With 0.02 the four posteriors are small islands, and the prior often draws from the sea between them, where the decoder was
never trained: fewer codes end near a future. With 4 no code ends near one: the decoder always gives the mean of the four, the
middle of the square, which never happens.

(c) The posterior has collapsed. All samples are alike, so the best of twenty is as good as any one. Print the KL, by component and averaged
over the data, and count the active ones; or look at the spread of samples.

(d) It makes the encoder keep the past in its memory: whatever the replay cannot tell costs. Its gradient is useful from the
first step, while that of the forecast is noisy as long as the forecast is poor.
"""
# END SOLUTION


# %% probes 3.9
def probes(random):
    yield Probe("at least 70 words", (70,), "words", expected=True)


# %% rubric 3.9
# * 1 point: ln 4 as the least that tells four futures apart; just above it at the middle weight, a surplus at the small one, nothing at the
#   large one.
# * 1 point: the middle weight, with both failures: codes from the gaps between posteriors, and the mean of all futures.
# * 1 point: posterior collapse is named, and the KL (by component, or active components) or the samples' spread as what shows it.
# * 1 point: the replay forces the memory to hold the past, with a clear gradient from the start.

# %% [markdown]
# ## Hand in
#
# `progress` shows how far you are, `submit` writes one file with all answers. Run all cells once from the
# top before you do.

# %%
homework.progress(3)

# %%
homework.submit(3)
