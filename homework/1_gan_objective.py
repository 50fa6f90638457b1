"""Homework 1, the GAN objective: the one source of notebook, checks, solution and rubric."""

# ruff: noqa: E501, F811, F821
# %% [markdown]
# # Homework 1: the GAN objective
#
# About three hours. You write four functions, none longer than ten lines; measure a divergence with a
# network that has never seen a density; cure a GAN that has collapsed; and answer one question in
# words. Nothing trains for longer than a minute or two, on two CPU cores and without a GPU.
#
# The [chapter](../../book/1_gan_objective.md) has all the theory. The letters here are its letters: $s$
# is a logit, $D = \sigma(s)$, $p$ the data's density, $q$ the generator's.
#
# **How it works.** Write each answer into its own cell, below the line `# Answer 1.1`, and leave that
# line where it is. The cell after it checks what you wrote, as often as you like, and gives a hint. The
# checks are not the marks: your functions will be asked again with other numbers. Use `torch` freely; the
# functions of `vidgen_lite.gan_objective` that do nearly the same are not the answer, since each
# question has a twist that they lack.

# %%
# Setup
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite import gan_objective, homework, training

# %% [markdown]
# ## 1.1 The discriminator's loss with softer labels
#
# *25 minutes, 4 points.* One-sided label smoothing gives real samples the label $1 - \alpha$ in place of
# 1. Generated samples keep the label 0. So for each real sample $D$ pays the cross-entropy of a coin
# that shows "real" with probability $1 - \alpha$, and the whole loss is
#
# $$
# L_D = -\mathbb{E}_x\bigl[(1 - \alpha) \log D(x) + \alpha \log (1 - D(x))\bigr]
#       - \mathbb{E}_z\bigl[\log (1 - D(G(z)))\bigr].
# $$
#
# Write it as a function of *logits*. It must stay exact at logits of ±200, and a gradient must flow
# through it. The two batches need not be of one size, nor of one shape.


# %% answer 1.1 | The loss of D with softer labels | 4 points | code
def smoothed_loss(real_logits: Tensor, fake_logits: Tensor, alpha: float) -> Tensor:
    """The discriminator's loss with the label 1 - alpha for real samples.

    Args:
        real_logits: logits on data, any shape.
        fake_logits: logits on generated samples, any shape.
        alpha: how much softer, from 0 (not at all) to 1/2.

    Returns:
        A scalar, to be minimised.
    """
    # BEGIN SOLUTION
    real = (1 - alpha) * F.softplus(-real_logits) + alpha * F.softplus(real_logits)
    return real.mean() + F.softplus(fake_logits).mean()
    # END SOLUTION


# %% probes 1.1
def probes(random):
    yield Probe("D says ½ to everything", (torch.zeros(4), torch.zeros(4), 0.1))
    yield Probe("plain labels (alpha = 0)", (random.normal(5), random.normal(5), 0.0))
    yield Probe("alpha = 0.1", (random.normal(6) + 1, random.normal(6) - 1, 0.1))
    yield Probe("batches of different sizes", (random.normal(3), random.normal(5), 0.25))
    yield Probe("logits of shape (B, 1)", (random.normal(4, 1), random.normal(4, 1), 0.2))
    large = torch.tensor([200.0, -200.0, 30.0])
    yield Probe("logits of ±200", (large, -large, 0.1), share=0.25)
    yield Probe("its gradient", (random.normal(4), random.normal(3), 0.1), "gradient", share=0.25)


# %% mistake 1.1 | sum for mean
# The expectation is a mean over the batch. A sum grows with the batch's size.
def smoothed_loss(real_logits, fake_logits, alpha):
    real = (1 - alpha) * F.softplus(-real_logits) + alpha * F.softplus(real_logits)
    return real.sum() + F.softplus(fake_logits).sum()


# %% mistake 1.1 | labels swapped
# The labels are swapped: this D is paid for calling data generated, and generated samples real.
def smoothed_loss(real_logits, fake_logits, alpha):
    real = (1 - alpha) * F.softplus(real_logits) + alpha * F.softplus(-real_logits)
    return real.mean() + F.softplus(-fake_logits).mean()


# %% mistake 1.1 | both sides smoothed
# Generated samples have been given a softer label too. One-sided means: they keep the label 0.
def smoothed_loss(real_logits, fake_logits, alpha):
    real = (1 - alpha) * F.softplus(-real_logits) + alpha * F.softplus(real_logits)
    fake = (1 - alpha) * F.softplus(fake_logits) + alpha * F.softplus(-fake_logits)
    return real.mean() + fake.mean()


# %% mistake 1.1 | smoothing without its second half
# The real samples' loss has lost its second half. With a label of 1 − α, what D pays for α is there
# too: a coin has two sides.
def smoothed_loss(real_logits, fake_logits, alpha):
    return (1 - alpha) * F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


# %% mistake 1.1 | probabilities for logits
# Something takes the logarithm of a sigmoid. At ±200 the sigmoid is rounded to 0 or 1, and its logarithm
# is infinite. Find a function that has the logarithm already in it.
def smoothed_loss(real_logits, fake_logits, alpha):
    d, g = real_logits.sigmoid(), fake_logits.sigmoid()
    real = (1 - alpha) * torch.log(d) + alpha * torch.log(1 - d)
    return -real.mean() - torch.log(1 - g).mean()


# %% mistake 1.1 | an epsilon inside the logarithm
# A small number inside a logarithm, or a clamp, hides the infinity and gives a wrong loss for sure
# answers: at ±200 the loss is near 200, not near 18 or 16. No epsilon is needed.
def smoothed_loss(real_logits, fake_logits, alpha):
    d, g = real_logits.sigmoid(), fake_logits.sigmoid()
    real = (1 - alpha) * torch.log(d + 1e-8) + alpha * torch.log(1 - d + 1e-8)
    return -real.mean() - torch.log(1 - g + 1e-8).mean()


# %% mistake 1.1 | the value for the loss
# This is the value that D makes large. A loss is made small: mind the sign.
def smoothed_loss(real_logits, fake_logits, alpha):
    real = (1 - alpha) * F.logsigmoid(real_logits) + alpha * F.logsigmoid(-real_logits)
    return real.mean() + F.logsigmoid(-fake_logits).mean()


# %% mistake 1.1 | one mean over both batches
# Here both batches went into one mean. Each of the two expectations has a mean of its own; then they are
# added.
def smoothed_loss(real_logits, fake_logits, alpha):
    real = (1 - alpha) * F.softplus(-real_logits) + alpha * F.softplus(real_logits)
    return torch.cat([real.flatten(), F.softplus(fake_logits).flatten()]).mean()


# %% mistake 1.1 | no gradient | names: gradient
def smoothed_loss(real_logits, fake_logits, alpha):
    real = (1 - alpha) * F.softplus(-real_logits) + alpha * F.softplus(real_logits)
    return torch.tensor(real.mean().item() + F.softplus(fake_logits).mean().item())


# %% mistake 1.1 | not reduced | names: not reduced
def smoothed_loss(real_logits, fake_logits, alpha):
    return F.binary_cross_entropy_with_logits(
        real_logits, torch.full_like(real_logits, 1 - alpha), reduction="none"
    ) + F.softplus(fake_logits.flatten()[0])


# %% alternative 1.1 | binary cross-entropy with targets
def smoothed_loss(real_logits, fake_logits, alpha):
    entropy = F.binary_cross_entropy_with_logits
    soft = torch.full_like(real_logits, 1 - alpha)
    return entropy(real_logits, soft) + entropy(fake_logits, torch.zeros_like(fake_logits))


# %% alternative 1.1 | a loop in float64
def smoothed_loss(real_logits, fake_logits, alpha):
    def log_d(s):
        return -torch.logaddexp(torch.zeros_like(s), -s)

    total = 0
    for s in real_logits.double().flatten():
        total = total - ((1 - alpha) * log_d(s) + alpha * log_d(-s)) / real_logits.numel()
    for s in fake_logits.double().flatten():
        total = total - log_d(-s) / fake_logits.numel()
    return total


# %% [markdown]
# ## 1.2 The perfect logit
#
# *25 minutes, 4 points.* Real samples make up a share $\pi$ of all that $D$ is shown, so that $D$ maximises
# $\pi\,\mathbb{E}_p[\log D] + (1 - \pi)\,\mathbb{E}_q[\log(1 - D)]$. Derive the best $D$ on paper, as the
# chapter does for $\pi = ½$, and from it the best **logit** at each $x$.
#
# Write it as a function of the *logarithms* of the two densities. For pictures, log densities of −5000 are
# nothing special; your function must give the exact finite answer there.


# %% answer 1.2 | The perfect logit | 4 points | code
def perfect_logit(log_p: Tensor, log_q: Tensor, share: float) -> Tensor:
    """The logit of the best discriminator.

    Args:
        log_p: log density of the data at some points, any shape.
        log_q: log density of generated samples at the same points.
        share: of real samples among all that D sees, strictly between 0 and 1.

    Returns:
        Logits, of the same shape.
    """
    # BEGIN SOLUTION
    return log_p - log_q + math.log(share / (1 - share))
    # END SOLUTION


# %% probes 1.2
def probes(random):
    yield Probe("equal shares", (random.normal(4), random.normal(4), 0.5))
    yield Probe("equal densities, three in four are real", (torch.ones(3), torch.ones(3), 0.75))
    yield Probe("one in five is real", (random.normal(2, 3), random.normal(2, 3), 0.2))
    far = torch.tensor([-5000.0, -5003.0])
    yield Probe("log densities of −5000", (far, far.flip(0) + 1, 0.6), share=0.5)


# %% mistake 1.2 | D for its logit
# This is D itself, a probability. Asked is its logit, the number whose sigmoid is D.
def perfect_logit(log_p, log_q, share):
    p, q = share * log_p.exp(), (1 - share) * log_q.exp()
    return p / (p + q)


# %% mistake 1.2 | through the densities
# Right where the densities are ordinary numbers; but the exponential of −5000 is 0, and 0/0 is no number.
# Simplify on paper until no exponential is left.
def perfect_logit(log_p, log_q, share):
    p, q = share * log_p.exp(), (1 - share) * log_q.exp()
    return torch.log(p / q)


# %% mistake 1.2 | share forgotten
# That is right for equal shares. What does D say where the two densities are equal, and three of four
# samples are real?
def perfect_logit(log_p, log_q, share):
    return log_p - log_q


# %% mistake 1.2 | half of the share
# One of the two shares is missing: p comes with π, and q with 1 − π.
def perfect_logit(log_p, log_q, share):
    return log_p - log_q + math.log(share)


# %% mistake 1.2 | shares exchanged
# The two shares are exchanged. The more of what D sees is real, the higher its logit.
def perfect_logit(log_p, log_q, share):
    return log_p - log_q + math.log((1 - share) / share)


# %% mistake 1.2 | ratio upside down
# The ratio of the densities stands upside down: the logit must be high where the data are dense.
def perfect_logit(log_p, log_q, share):
    return log_q - log_p + math.log(share / (1 - share))


# %% mistake 1.2 | share not as a logarithm
# The shares enter as they are, and the densities as logarithms. Take the logarithm of the whole product.
def perfect_logit(log_p, log_q, share):
    return share * log_p - (1 - share) * log_q


# %% mistake 1.2 | an epsilon in the densities
# A small number was added to the densities, or they were clamped. Where both are tiny, that number is all
# that is left of them. Simplify on paper until no exponential is left.
def perfect_logit(log_p, log_q, share):
    p, q = share * log_p.exp() + 1e-12, (1 - share) * log_q.exp() + 1e-12
    return torch.log(p) - torch.log(q)


# %% mistake 1.2 | one number for all points | names: reduced to one number
def perfect_logit(log_p, log_q, share):
    return (log_p - log_q).mean() + math.log(share / (1 - share))


# %% alternative 1.2 | torch.logit of the share
def perfect_logit(log_p, log_q, share):
    prior = torch.logit(torch.tensor(share, dtype=torch.float64))
    return log_p.double() - log_q.double() + prior


# %% alternative 1.2 | a loop
def perfect_logit(log_p, log_q, share):
    pairs = zip(log_p.flatten().tolist(), log_q.flatten().tolist(), strict=True)
    prior = math.log(share) - math.log1p(-share)
    return torch.tensor([a - b + prior for a, b in pairs]).reshape(log_p.shape)


# %% [markdown]
# ## 1.3 A divergence from a log file
#
# *20 minutes, 3 points.* The chapter shows that against a perfect discriminator the game is worth
# $V(D^*, G) = 2\,\mathrm{JS}(p, q) - \log 4$. Turn that round: from the logits of a discriminator that was
# trained well (with plain labels and equal shares), estimate the Jensen–Shannon divergence between data and
# generator, in nats.


# %% answer 1.3 | A divergence from logits | 3 points | code
def js_from_logits(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Estimate JS(p, q) in nats from what a well-trained discriminator says.

    Args:
        real_logits: its logits on data, any shape.
        fake_logits: its logits on generated samples, any shape.

    Returns:
        A scalar; 0 if D says ½ to everything, log 2 if it is sure and right everywhere.
    """
    # BEGIN SOLUTION
    value = F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean()
    return (value + math.log(4)) / 2
    # END SOLUTION


# %% probes 1.3
def probes(random):
    yield Probe("D says ½ to everything", (torch.zeros(3), torch.zeros(3)))
    yield Probe("D is right as a rule", (random.normal(6) + 1.5, random.normal(6) - 2))
    yield Probe("batches of different sizes", (random.normal(3) + 1, random.normal(5, 1) - 2))
    sure = torch.full((4,), 150.0)
    yield Probe("D is sure and right everywhere", (sure, -sure))
    sure = torch.tensor([150.0, 150.0, -150.0])
    yield Probe("D is sure, and wrong a third of the time", (sure, -sure), share=0.34)


# %% mistake 1.3 | log 4 forgotten
# At D = ½ the divergence must be 0. The constant of the theorem is missing.
def js_from_logits(real_logits, fake_logits):
    return (F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean()) / 2


# %% mistake 1.3 | not halved
# The theorem speaks of twice the divergence.
def js_from_logits(real_logits, fake_logits):
    return F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean() + math.log(4)


# %% mistake 1.3 | the loss for the value
# You have put the loss of D where the theorem has the value. One is minus the other.
def js_from_logits(real_logits, fake_logits):
    loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
    return (loss + math.log(4)) / 2


# %% mistake 1.3 | in bits
# These are bits. With natural logarithms, the largest divergence is log 2 ≈ 0.693.
def js_from_logits(real_logits, fake_logits):
    value = F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean()
    return (value + math.log(4)) / 2 / math.log(2)


# %% mistake 1.3 | half the constant
# The constant was not halved along with the rest, or log 2 was taken for log 4: at D = ½ the result must
# be 0.
def js_from_logits(real_logits, fake_logits):
    value = F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean()
    return (value + math.log(2)) / 2


# %% mistake 1.3 | logarithm of a sigmoid
# Somewhere a sigmoid is rounded to 0 or 1 before its logarithm is taken, and the result is infinite or no
# number.
def js_from_logits(real_logits, fake_logits):
    d, g = real_logits.sigmoid(), fake_logits.sigmoid()
    value = d.log().mean() + (1 - g).log().mean()
    return (value + math.log(4)) / 2


# %% mistake 1.3 | logits taken for probabilities
# The logits go into a logarithm as if they were probabilities.
def js_from_logits(real_logits, fake_logits):
    value = real_logits.log().mean() + (1 - fake_logits).log().mean()
    return (value + math.log(4)) / 2


# %% mistake 1.3 | labels swapped
# The two kinds of logits have changed places: D calls real samples generated here.
def js_from_logits(real_logits, fake_logits):
    value = F.logsigmoid(-real_logits).mean() + F.logsigmoid(fake_logits).mean()
    return (value + math.log(4)) / 2


# %% alternative 1.3 | through the two Kullback–Leibler divergences
def js_from_logits(real_logits, fake_logits):
    to_middle = math.log(2) - F.softplus(-real_logits.double()).mean()
    from_middle = math.log(2) - F.softplus(fake_logits.double()).mean()
    return 0.5 * to_middle + 0.5 * from_middle


# %% alternative 1.3 | the library's value
def js_from_logits(real_logits, fake_logits):
    return 0.5 * (gan_objective.value(real_logits, fake_logits) + math.log(4)).item()


# %% [markdown]
# ## 1.4 Two players, two losses
#
# *25 minutes, 4 points.* One step of a GAN needs two numbers: the loss of $D$ and the loss of $G$. Compute
# both from one batch of data and one of noise, with plain labels and the non-saturating loss for $G$. Each
# must move its own player: $D$'s loss leaves $G$'s weights alone, and $G$'s loss reaches $G$'s weights
# *through* $D$. (That $G$'s loss leaves gradients in $D$ too is fine here; `frozen` takes care of that
# when one trains.)


# %% answer 1.4 | Two players, two losses | 4 points | code
def two_losses(
    generator: nn.Module, discriminator: nn.Module, real: Tensor, z: Tensor
) -> tuple[Tensor, Tensor]:
    """The losses of both players, each connected to its own player.

    Args:
        generator: noise (B, n) to samples.
        discriminator: samples to logits (B, 1).
        real: data.
        z: noise, (B, n).

    Returns:
        The loss of D and the loss of G, two scalars.
    """
    # BEGIN SOLUTION
    fake = generator(z)
    d_loss = (
        F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake.detach())).mean()
    )
    g_loss = F.softplus(-discriminator(fake)).mean()
    return d_loss, g_loss
    # END SOLUTION


# %% probes 1.4
def probes(random):
    def case(n, m):
        return (random.normal(2, 2), random.normal(2, 1), random.normal(n, 2), random.normal(m, 2))

    yield Probe("a batch of four", case(4, 4), "players")
    yield Probe("six real samples and three codes", case(6, 3), "players")


# %% mistake 1.4 | no detach
# D's loss moves G. While D learns, the generated samples must be cut off from the generator that made them.
def two_losses(generator, discriminator, real, z):
    fake = generator(z)
    d_loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()
    return d_loss, F.softplus(-discriminator(fake)).mean()


# %% mistake 1.4 | detached for both
# G's loss does not reach G: the samples that G is judged by are cut off from it as well. Only D's loss needs
# the cut.
def two_losses(generator, discriminator, real, z):
    fake = generator(z).detach()
    d_loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()
    return d_loss, F.softplus(-discriminator(fake)).mean()


# %% mistake 1.4 | the minimax loss
# G's loss is the minimax one, which hardly pushes where D is sure. Asked is the non-saturating loss: as if
# generated samples carried the label "real".
def two_losses(generator, discriminator, real, z):
    fake = generator(z)
    d_loss = (
        F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake.detach())).mean()
    )
    return d_loss, -F.softplus(discriminator(fake)).mean()


# %% mistake 1.4 | G plays for D
# G's loss is small where D recognises the samples: here G helps D. Its samples want the label "real".
def two_losses(generator, discriminator, real, z):
    fake = generator(z)
    d_loss = (
        F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake.detach())).mean()
    )
    return d_loss, F.softplus(discriminator(fake)).mean()


# %% mistake 1.4 | D's labels swapped
# D's loss has its labels swapped: it is small where D calls generated samples real.
def two_losses(generator, discriminator, real, z):
    fake = generator(z)
    d_loss = (
        F.softplus(discriminator(real)).mean() + F.softplus(-discriminator(fake.detach())).mean()
    )
    return d_loss, F.softplus(-discriminator(fake)).mean()


# %% mistake 1.4 | the losses in the wrong order
# The two losses come back in the wrong order: D's first, then G's.
def two_losses(generator, discriminator, real, z):
    fake = generator(z)
    d_loss = (
        F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake.detach())).mean()
    )
    return F.softplus(-discriminator(fake)).mean(), d_loss


# %% mistake 1.4 | D's loss halved
# D's loss is half of what it should be. The two expectations are added, not averaged.
def two_losses(generator, discriminator, real, z):
    fake = generator(z)
    d_loss = (
        F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake.detach())).mean()
    )
    return d_loss / 2, F.softplus(-discriminator(fake)).mean()


# %% mistake 1.4 | D cut off in G's loss
# G's loss is computed without a path back to G: under torch.no_grad, or from detached logits. The gradient
# has to pass through D.
def two_losses(generator, discriminator, real, z):
    fake = generator(z)
    d_loss = (
        F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake.detach())).mean()
    )
    with torch.no_grad():
        g_loss = F.softplus(-discriminator(fake)).mean()
    return d_loss, g_loss


# %% mistake 1.4 | noise for data | names: D's loss
def two_losses(generator, discriminator, real, z):
    fake = generator(z)
    d_loss = F.softplus(-discriminator(z)).mean() + F.softplus(discriminator(fake.detach())).mean()
    return d_loss, F.softplus(-discriminator(fake)).mean()


# %% alternative 1.4 | two passes, no_grad, and cross-entropy
def two_losses(generator, discriminator, real, z):
    entropy = F.binary_cross_entropy_with_logits
    with torch.no_grad():
        still = generator(z)
    a, b, c = discriminator(real), discriminator(still), discriminator(generator(z))
    d_loss = entropy(a, torch.ones_like(a)) + entropy(b, torch.zeros_like(b))
    return d_loss, entropy(c, torch.ones_like(c))


# %% alternative 1.4 | a list of two, from the library's losses
def two_losses(generator, discriminator, real, z):
    fake = generator(z)
    loss = gan_objective.discriminator_loss(
        discriminator(real), discriminator(fake.detach()), kind="non_saturating"
    )
    return [loss.total, gan_objective.generator_loss(discriminator(fake), kind="non_saturating")]


# %% [markdown]
# ## 1.5 Measure a divergence
#
# *30 minutes, 3 points.* Two normal distributions on a line, both of standard deviation 1, at a distance of
# 0, 1, 2 and 4. How far apart are they, in the sense of Jensen and Shannon? You have `js_from_logits`, and
# this function, which trains a small discriminator on samples of the two:


# %%
# Setup: nothing to change here
def train_discriminator(distance, steps=400):
    """A discriminator for the normal distributions around 0 (real) and around distance."""
    torch.manual_seed(0)
    d = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(d.parameters(), 1e-2)
    for _ in range(steps):
        real, fake = torch.randn(256, 1), torch.randn(256, 1) + distance
        loss = F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return d


# %% [markdown]
# For each distance, train a discriminator, draw 10,000 *new* samples of each of the two distributions, and
# estimate the divergence from its logits on them.

# %% answer 1.5 | Measure a divergence | 3 points | value
distances = [0, 1, 2, 4]
# BEGIN SOLUTION: measured_js = ...  # four numbers, in the order of the distances
measured_js = []
for distance in distances:
    d = train_discriminator(distance)
    with torch.no_grad():
        real, fake = d(torch.randn(10_000, 1)), d(torch.randn(10_000, 1) + distance)
    measured_js.append(js_from_logits(real, fake).item())
# END SOLUTION


# %% probes 1.5
def probes(random):
    wide = [(-0.05, 0.05), (0.02, 0.3), (0.1, 0.6), (0.3, 0.7)]
    yield Probe("four numbers", measure="value", expected=[{"between": b} for b in wide])


# %% hidden 1.5
def probes(random):
    x = torch.linspace(-12, 16, 28_001)
    p = torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    bounds = []
    for distance in (0, 1, 2, 4):
        q = torch.exp(-((x - distance) ** 2) / 2) / math.sqrt(2 * math.pi)
        exact = gan_objective.jensen_shannon(p, q, cell=0.001).item()
        bounds.append({"between": (round(exact - 0.03, 4), round(exact + 0.03, 4))})
    yield Probe("within 0.03 of the exact divergence", measure="value", expected=bounds)


# %% mistake 1.5 | in bits
# The last number is larger than log 2 ≈ 0.693, which no divergence in nats can be.
measured_js = [0.0, 0.16, 0.49, 0.93]

# %% mistake 1.5 | log 4 forgotten
# At distance 0 there is nothing to tell apart, so the divergence is 0: is there a constant missing in 1.3?
measured_js = [-0.69, -0.58, -0.36, -0.05]

# %% mistake 1.5 | twice
# Twice as much as it can be: at distance 4 the divergence is below log 2.
measured_js = [0.0, 0.22, 0.67, 1.28]

# %% mistake 1.5 | largest first
# The distances go from 0 to 4, so the divergences must grow.
measured_js = [0.64, 0.34, 0.11, 0.0]

# %% mistake 1.5 | the loss
# This is D's loss, near log 4 where the two can't be told apart. Asked is the divergence.
measured_js = [1.386, 1.16, 0.71, 0.1]

# %% alternative 1.5 | the exact values, as a tensor
measured_js = torch.tensor([0.0, 0.1122, 0.3370, 0.6345])

# %% [markdown]
# ## 1.6 Cure a GAN
#
# *40 minutes, 4 points.* This GAN is meant to learn eight Gaussians on a ring. It is broken.

# %%
# Setup: the broken GAN, and how to try a change of its settings
BROKEN = {"steps": 800, "generator_rate": 8e-3, "discriminator_rate": 2e-3}


def trial(change, seed=0):
    """Train with changed settings and count the modes that are found, of eight."""
    settings = gan_objective.Settings(**{**BROKEN, "seed": seed, **change})
    state = gan_objective.new_state(settings)
    data = gan_objective.load_data(settings)
    for _ in training.progress(gan_objective.train(state, data), settings.steps, "trial"):
        pass
    return gan_objective.coverage(gan_objective.sample(state, 4000), data)


# %%
if training.preset_name() != "smoke":
    print(trial({}))

# %% [markdown]
# Draw samples, look at the losses, form a suspicion: is $G$ too fast, is $D$ too far ahead, or is the loss
# to blame? Then change **one or two** of the settings `kind`, `batch_statistics`, `r1_weight`,
# `generator_rate`, `discriminator_rate` and `discriminator_steps` so that at least seven modes are found.
# (`help(gan_objective.Settings)` explains them. A trial takes a few seconds, and your cure will be tried
# with other seeds, where at least six modes are asked for.) The number of steps, the data and the networks stay.
#
# In 1.7 you are asked why your cure works, so keep what you have tried.

# %% answer 1.6 | Cure a GAN | 4 points | value
# BEGIN SOLUTION: change = {}  # for example {"kind": "least_squares"}
change = {"batch_statistics": True}
# END SOLUTION
cure = {"change": change, "modes": trial(change).modes if change else 0}


# %% probes 1.6
def probes(random):
    allowed = ["kind", "batch_statistics", "r1_weight", "generator_rate", "discriminator_rate"]
    yield Probe(
        "the rules, and what your trial found",
        ([*allowed, "discriminator_steps"], 2, 7),
        "change",
        expected={
            f"changes only {', '.join([*allowed, 'discriminator_steps'])}": True,
            "changes at most 2 settings": True,
            "finds at least 7 modes": True,
        },
    )


# %% judge 1.6
def judge(answer):
    found = [trial(answer["change"], seed=seed).modes for seed in (11, 12)]
    return min(found) >= 6, f"tried with two other seeds: {found[0]} and {found[1]} of 8 modes"


# %% mistake 1.6 | only more steps
# More steps, other data or another network would be another question. Only the named settings may change.
cure = {"change": {"steps": 4000}, "modes": 8}

# %% mistake 1.6 | fewer modes to find
# More steps, other data or another network would be another question. Only the named settings may change.
cure = {"change": {"n_modes": 1}, "modes": 8}

# %% mistake 1.6 | everything at once
# With so many changes at once nobody knows which one helped. Two at most.
cure = {
    "change": {"batch_statistics": True, "r1_weight": 0.1, "kind": "least_squares"}, "modes": 8
}  # fmt: skip

# %% mistake 1.6 | R1 for a hasty generator
# Not enough modes are found. Ask what D can't see: no single sample of a collapsed generator is wrong. Or
# ask which player is in a hurry.
cure = {"change": {"r1_weight": 0.1}, "modes": 0}

# %% mistake 1.6 | another loss
# Not enough modes are found. Ask what D can't see: no single sample of a collapsed generator is wrong. Or
# ask which player is in a hurry.
cure = {"change": {"kind": "minimax"}, "modes": 1}

# %% mistake 1.6 | a claim that is not true | names: other seeds
cure = {"change": {"r1_weight": 0.01}, "modes": 8}

# %% alternative 1.6 | equal rates
cure = {"change": {"generator_rate": 2e-3}, "modes": 8}

# %% [markdown]
# ## 1.7 In words
#
# *20 minutes, 4 points, marked by a person.* In about 150 words: **(a)** What was wrong with the GAN of 1.6,
# and how did you see it? The losses alone do not show it. **(b)** Why does your cure work: what does it
# change for which player? **(c)** Name one change that you tried, or could have tried, that does not help
# here, and why it does not.

# %% answer 1.7 | In words | 4 points | text
# BEGIN SOLUTION: answer_1_7 = """ """
answer_1_7 = """
(a) All samples sit in one small clump that jumps from place to place: mode collapse. One sees it in samples,
or by counting modes, 0 or 1 of 8. The losses only swing, as those of a healthy GAN also do. The generator's rate
is four times D's, so G reaches the single best answer to the present D before D has moved: it plays
max-min in place of min-max.

(b) With batch statistics D judges a sample together with the spread of its batch. Each sample of a collapsed
batch may be good, but the batch as a whole is now easily told, so collapsing no longer pays, and the
gradient through the spread pushes samples apart. (Equal rates cure it otherwise: D keeps up, and
the spot stops being good before all samples have gone there.)

(c) R1 does little. It makes D smooth, so that gradients reach far, which helps where D is too steep. Here D is
not too steep; it is blind to sameness, and a smooth D still has one best point.
"""
# END SOLUTION


# %% probes 1.7
def probes(random):
    yield Probe("at least 60 words", (60,), "words", expected=True)


# %% rubric 1.7
# * 1 point: mode collapse is named, and seen in samples or counted modes, not in a loss.
# * 1 point: its cause, a generator that runs ahead of D.
# * 1 point: the cure is explained through what a player sees or how fast it moves, and fits 1.6's answer.
# * 1 point: a change that does not help, with a reason that holds (smoothness is not what is missing; another
#   loss leaves the best single point where it is).

# %% [markdown]
# ## Hand in
#
# `progress` shows how far you are, `submit` writes one file with all answers. Run all cells once from the
# top before you do.

# %%
homework.progress(1)

# %%
homework.submit(1)
