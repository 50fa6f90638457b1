"""Draw the figures of chapter 1: python book/figures/make_1_gan_objective.py [NAME ...]

Formulas are drawn from the library's own functions; the pictures of training are runs of about a
minute in all. The same versions give the same files.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import solutions
import torch
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from vidgen_lite import gan_objective
from vidgen_lite.gan_objective.draw import MADE, REAL, draw_game

HERE = Path(__file__).resolve().parent
INK, QUIET, PAPER, GREEN = "#16263d", "#6b7280", "#f7f3ea", "#4e7d49"
STYLE: dict[str, Any] = {
    "figure.facecolor": PAPER, "savefig.facecolor": PAPER, "axes.facecolor": "#fffdf8",
    "font.size": 11, "axes.edgecolor": "#b9b2a2", "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 12, "legend.frameon": False, "lines.linewidth": 2.2,
    "svg.hashsalt": "chapter 1", "svg.fonttype": "path", "figure.dpi": 130,
}  # fmt: skip


def game() -> plt.Figure:
    """Noise, G, data, D, and which way the gradients run."""
    figure, axes = plt.subplots(figsize=(8.4, 3.5))
    axes.set(xlim=(0, 8.4), ylim=(0, 3.5))
    axes.axis("off")

    def box(x: float, y: float, width: float, text: str, colour: str, words: str = INK) -> None:
        axes.add_patch(
            FancyBboxPatch(
                (x, y), width, 0.8, boxstyle="round,pad=0.04,rounding_size=0.16",
                facecolor=colour, edgecolor="none",
            )
        )  # fmt: skip
        axes.text(x + width / 2, y + 0.4, text, ha="center", va="center", color=words, fontsize=12)

    def arrow(start: tuple, end: tuple, colour: str = INK, bend: float = 0, dashed=False) -> None:
        axes.add_patch(
            FancyArrowPatch(
                start, end, arrowstyle="-|>", mutation_scale=16, color=colour, linewidth=1.8,
                connectionstyle=f"arc3,rad={bend}", linestyle="--" if dashed else "-",
            )
        )  # fmt: skip

    box(0.2, 0.7, 1.0, "noise $z$", "#e9e2d2")
    box(1.9, 0.7, 1.5, "generator\n$G$", MADE, "white")
    box(2.0, 2.2, 1.3, "data", "#e9e2d2")
    box(5.0, 1.45, 1.6, "discriminator\n$D$", REAL, "white")
    arrow((1.25, 1.1), (1.85, 1.1))
    arrow((3.45, 1.1), (4.93, 1.7))
    arrow((3.35, 2.6), (4.93, 2.0))
    arrow((6.68, 1.85), (7.3, 1.85))
    axes.text(4.05, 1.02, "$G(z)$", color=MADE, fontsize=13)
    axes.text(4.05, 2.52, "$x$", color=REAL, fontsize=13)
    axes.text(7.4, 1.85, "$D$: real?", va="center", fontsize=13)
    arrow((5.6, 1.36), (2.75, 0.62), MADE, -0.35, dashed=True)
    axes.text(4.5, 0.16, "$G$ learns through $D$: raise $D(G(z))$", color=MADE, ha="center")
    arrow((7.7, 2.05), (5.9, 2.36), REAL, 0.45, dashed=True)
    axes.text(6.7, 2.92, "$D$ learns: 1 for $x$, 0 for $G(z)$", color=REAL, ha="center")
    return figure


def optimal() -> plt.Figure:
    """Two densities and the verdict of the best discriminator between them."""
    x = torch.linspace(-4, 4, 801)
    p = gan_objective.Mixture(((-1.5,), (1.2,)), 0.5).density(x[:, None])
    q = gan_objective.Mixture(((0.4,),), 1.0).density(x[:, None])
    best = gan_objective.optimal_discriminator(p, q)
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(7.4, 4.6), sharex=True, layout="constrained"
    )
    for density, colour, name in ((p, REAL, "$p$, the data"), (q, MADE, "$q$, what $G$ makes")):
        above.plot(x, density, color=colour, label=name)
        above.fill_between(x, density, color=colour, alpha=0.15)
    above.set(ylabel="density", ylim=(0, 0.46), xlim=(-4, 4))
    above.legend(loc="upper right")
    below.plot(x, best, color=INK)
    below.axhline(0.5, color=QUIET, linewidth=1, linestyle=":")
    for side, colour in ((p > q, REAL), (p <= q, MADE)):
        below.fill_between(x, 0, 1, where=side.numpy(), color=colour, alpha=0.1, linewidth=0)
    below.set(ylabel="$D^*(x) = p/(p+q)$", xlabel="$x$", ylim=(0, 1), yticks=[0, 0.5, 1])
    return figure


def divergences() -> plt.Figure:
    """What the divergences say of two Gaussians that lie apart, and how steep they are."""
    x = torch.linspace(-30, 50, 40001, dtype=torch.float64)
    cell = (x[1] - x[0]).item()
    distances = torch.linspace(0, 12, 61, dtype=torch.float64)
    p = gan_objective.Mixture(((0.0,),), 1.0).density(x[:, None])
    found = {"jensen_shannon": [], "pearson_chi_square": []}
    for distance in distances:
        q = gan_objective.Mixture(((distance.item(),),), 1.0).density(x[:, None])
        for name, values in found.items():
            values.append(getattr(gan_objective, name)(p, q, cell=cell).item())
    figure, axes = plt.subplots(figsize=(7.4, 3.1), layout="constrained")
    axes.plot(distances, torch.tensor(found["jensen_shannon"]) / math.log(2), color=INK,
              label="Jensen–Shannon, in units of its largest value log 2")  # fmt: skip
    axes.plot(distances, torch.tensor(found["pearson_chi_square"]) / 2, color=GREEN, linestyle="--",
              label="Pearson $\\chi^2$, in units of its largest value 2")  # fmt: skip
    axes.set(xlabel="distance between the means, in standard deviations", ylabel="divergence",
             ylim=(0, 1.08), xlim=(0, 12))  # fmt: skip
    axes.annotate("flat: nothing tells $G$\nwhich way to go", (9, 1.0), (8.2, 0.55), color=INK,
                  arrowprops={"arrowstyle": "-|>", "color": INK})  # fmt: skip
    axes.legend(loc="lower right")
    return figure


LOOKS = {
    "minimax": (MADE, "-", "minimax: $\\log(1-D)$"),
    "non_saturating": (REAL, "-", "non-saturating: $-\\log D$"),
    "least_squares": (GREEN, "--", "least squares: $(s-1)^2/2$"),
}


def losses() -> plt.Figure:
    """The generator's three losses and their slopes, by automatic differentiation."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
    for kind, (colour, line, name) in LOOKS.items():
        s = torch.linspace(-8, 8, 401, requires_grad=True)
        values = torch.stack([gan_objective.generator_loss(one, kind=kind) for one in s])
        (slopes,) = torch.autograd.grad(values.sum(), s)
        left.plot(s.detach(), values.detach(), color=colour, linestyle=line, label=name)
        right.plot(s.detach(), slopes.abs(), color=colour, linestyle=line)
    left.set(ylim=(-8, 10), xlabel="logit $s$ of a generated sample", title="the loss of $G$")
    left.legend(loc="lower left", fontsize=9.5)
    right.set(
        ylim=(0, 2.5), xlabel="logit $s$ of a generated sample", title="size of its slope in $s$"
    )
    for axes in (left, right):
        axes.axvspan(-8, -3, color=MADE, alpha=0.08, linewidth=0)
        axes.set_xlim(-8, 8)
    right.text(-7.8, 2.25, "$D$ is sure:\ngenerated", fontsize=9.5, va="center")
    return figure


def circles() -> plt.Figure:
    """The smallest GAN: one number each. Plain steps, steps with R1, and the averaged weights."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 4.0), layout="constrained")
    line = torch.linspace(-1.6, 1.6, 13)
    theta, psi = torch.meshgrid(line, line, indexing="xy")
    for axes, gamma, title in ((left, 0.0, "plain"), (right, 0.4, "with R1, $\\gamma = 0.4$")):
        push = torch.sigmoid(psi * theta)
        axes.quiver(
            theta, psi, push * psi, -push * theta - gamma * psi, color="#c6bfae", width=0.004
        )
        point, path = torch.tensor([1.0, 0.0]), []
        for _ in range(260):
            path.append(point)
            t, s = point
            push = torch.sigmoid(s * t)
            point = point + 0.1 * torch.stack([push * s, -push * t - gamma * s])
        path = torch.stack(path)
        mean = path.cumsum(0) / torch.arange(1, len(path) + 1)[:, None]
        axes.plot(*path.T, color=MADE, label="weights, step by step", linewidth=1.6)
        axes.plot(*mean.T, color=REAL, label="their running mean", linewidth=1.6)
        axes.plot(0, 0, "*", color=INK, markersize=11)
        axes.set(
            xlabel="$\\theta$: where $G$ puts its point",
            title=title,
            xlim=(-1.7, 1.7),
            ylim=(-1.7, 1.7),
        )
        axes.set_aspect("equal")
    left.set_ylabel("$\\psi$: slope of $D$")
    right.legend(loc="upper right", fontsize=9.5)
    return figure


WATCHED = gan_objective.MODELS["ring"]["laptop"]
FAST_G = dataclasses.replace(WATCHED, steps=1600, discriminator_rate=5e-4)
FAR_D = dataclasses.replace(
    WATCHED, steps=1000, generator_rate=1e-3, discriminator_rate=2e-3, discriminator_steps=4
)


def moments(axes: Any, settings: gan_objective.Settings, steps: list[int]) -> None:
    """Draw a run at some of its steps."""
    state, data = gan_objective.new_state(settings), gan_objective.load_data(settings)
    waiting = iter(zip(steps, axes, strict=True))
    step, place = next(waiting)
    for record in gan_objective.train(state, data):
        if record["step"] == step:
            draw_game(place, state, data)
            place.set_title(f"step {step}", fontsize=10)
            step, place = next(waiting, (None, None))
            if step is None:
                break


def ring() -> plt.Figure:
    """Four moments of a GAN in the plane."""
    figure, axes = plt.subplots(1, 4, figsize=(8.8, 2.5), layout="constrained")
    moments(axes, WATCHED, [50, 300, 800, WATCHED.steps])
    return figure


def collapse() -> plt.Figure:
    """Collapse by a hasty G, above; by a D far ahead, below; the cure in the last picture each."""
    figure, axes = plt.subplots(2, 4, figsize=(8.8, 5.0), layout="constrained")
    moments(axes[0, :3], FAST_G, [400, 800, 1200])
    moments(axes[0, 3:], dataclasses.replace(FAST_G, batch_statistics=True), [1600])
    moments(axes[1, :3], FAR_D, [200, 500, 1000])
    moments(axes[1, 3:], dataclasses.replace(FAR_D, r1_weight=0.3), [1000])
    axes[0, 3].set_title("step 1600, $D$ sees the batch", fontsize=10)
    axes[1, 3].set_title("step 1000, with R1", fontsize=10)
    axes[0, 0].set_ylabel("$G$ four times as fast as $D$")
    axes[1, 0].set_ylabel("$D$ far ahead of $G$")
    return figure


def turns() -> plt.Figure:
    """Under the exercise: the smallest GAN's distance from its solution, by who steps when."""
    curves = solutions.run("1_gan_objective", "gan-solution-turns")["curves"]
    figure, axes = plt.subplots(figsize=(7.4, 3.1), layout="constrained")
    looks = zip(curves.items(), (MADE, REAL, GREEN), ("-", "-", "--"), strict=True)
    for (name, distances), colour, line in looks:
        axes.plot(distances, color=colour, linestyle=line, label=name)
    axes.set(xlabel="step", ylabel="distance from (0, 0)", xlim=(0, 300), ylim=(0, 1.5))
    axes.legend(loc="center right", bbox_to_anchor=(1, 0.4))
    return figure


def frozen() -> plt.Figure:
    """Under the exercise: G alone against a D that was stopped, early and late."""
    program = solutions.run("1_gan_objective", "gan-solution-frozen")
    figure, axes = plt.subplots(2, 2, figsize=(5.4, 6.1), layout="constrained")
    for stop, (before, after) in zip((50, 1500), axes, strict=True):
        state = program["trained"](stop)
        for place, steps in ((before, 0), (after, 300)):
            program["go_on_alone"](state, steps)
            draw_game(place, state, gan_objective.load_data(state.settings), reach=4.5)
            modes, belief = program["judgement"](state)
            moment = "then 300 of $G$ alone" if steps else f"$D$ stopped at {stop}"
            place.set_title(f"{moment}\nmodes {modes}, $D$ {belief:.2f}", fontsize=12)
    return figure


FIGURES = {
    f.__name__: f
    for f in (game, optimal, divergences, losses, circles, ring, collapse, turns, frozen)
}


def main(names: list[str]) -> None:
    """Draw the named figures, or all."""
    torch.set_num_threads(1)
    with matplotlib.rc_context(STYLE):
        for name in names or FIGURES:
            figure = FIGURES[name]()
            for axes in figure.axes:  # many dots: as a picture inside the file
                for artist in (*axes.images, *axes.lines, *axes.collections):
                    artist.set_rasterized(name in ("ring", "collapse", "frozen"))
            figure.savefig(HERE / f"1_{name}.svg", metadata={"Date": None, "Creator": None})
            plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1:])
