"""How chapters 2 to 4 draw networks, clips and bodies: one pen, one set of colours.

All positions are in units of a drawing that is ``WIDTH`` wide; a phone shows it at half its size,
so letters are 19 or more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
import solutions
import torch
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, FancyBboxPatch, Rectangle
from torch import Tensor, nn

from vidgen_lite import skeleton

HERE = Path(__file__).parent
WIDTH = 720
PAPER, INK, SOFT, GREY, WHITE = "#f7f3ea", "#16263d", "#44506a", "#8a94a3", "#ffffff"
MADE, REAL = "#d9572b", "#2f6ea5"  # generated and real, in all chapters
GREEN, PURPLE = "#4e7d49", "#7a5c99"
MOVING, STILL, MASK, CODE = "#f0b79d", "#b9d3b0", "#c9c6d6", "#cfd6df"


def chapter(name: str) -> None:
    """Set how matplotlib writes files: the same drawing gives the same file, byte for byte."""
    plt.rcParams.update(
        {
            "svg.fonttype": "path",
            "svg.hashsalt": name,
            "image.composite_image": False,
            "font.family": "DejaVu Sans",
        }
    )


# Reading the networks


@dataclass(frozen=True)
class Stage:
    """One level of a network: its convolution, what follows it, and the shape that comes out."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    after: tuple[str, ...]
    shape: tuple[int, ...]  # (C, H, W) or (C, T, H, W)


def stages(network: Iterable[nn.Module], x: Tensor) -> tuple[list[Stage], Tensor]:
    """Run x through a stack of layers, one entry a convolution; also return what comes out."""
    found: list[Stage] = []
    for layer in network:
        x = layer(x)
        if isinstance(layer, nn.modules.conv._ConvNd):
            found.append(Stage(layer.kernel_size, layer.stride, layer.padding, (), ()))
        names = {nn.BatchNorm2d: "BN", nn.BatchNorm3d: "BN", nn.LeakyReLU: "leaky"}
        name = names.get(type(layer), type(layer).__name__)
        after = found[-1].after + (() if isinstance(layer, nn.modules.conv._ConvNd) else (name,))
        last = found[-1]
        found[-1] = Stage(last.kernel, last.stride, last.padding, after, tuple(x.shape[1:]))
    return found, x


def parameters(*networks: nn.Module) -> str:
    return f"{sum(p.numel() for network in networks for p in network.parameters()):,}"


# Drawing


def unit(video: Tensor) -> Tensor:
    """[-1, 1] to [0, 1]."""
    return (video + 1) / 2


def canvas(height: int) -> Axes:
    figure = plt.figure(figsize=(WIDTH / 72, height / 72), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.axis("off")
    return axes


def save(axes: Axes, name: str) -> None:
    figure = axes.figure
    figure.savefig(HERE / f"{name}.svg", facecolor=PAPER, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    print(f"figure: {name}.svg")


def expected(chapter: str, solution: str, name: str) -> None:
    """The picture under a coding exercise: what its solution draws, in the book's colours."""
    looks = {
        "axes.edgecolor": GREY,
        "axes.facecolor": PAPER,
        "axes.prop_cycle": cycler(color=(REAL, MADE, GREEN, PURPLE, GREY)),
        "figure.constrained_layout.use": True,
        "font.size": 19,
        "legend.fontsize": 17,
        "legend.frameon": False,
        "lines.linewidth": 3,
    }
    with plt.rc_context(looks):
        solutions.run(chapter, solution)
        save(plt.gca(), name)


def write(axes: Axes, x: float, y: float, words: str, size: float = 20, **style: Any) -> None:
    style = {"color": INK, "ha": "center", "va": "center"} | style
    axes.text(x, y, words, fontsize=size, **style)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], **style: Any) -> None:
    style = {"color": GREY, "arrowstyle": "-|>,head_width=0.35,head_length=0.6", "lw": 2.4} | style
    axes.annotate("", end, start, arrowprops={**style, "shrinkA": 0, "shrinkB": 0})


def picture(axes: Axes, x: float, y: float, side: float, image: Tensor, **style: Any) -> None:
    """An image (3 or 1, H, W) in [0, 1], its centre at (x, y)."""
    rgb = image.expand(3, -1, -1).permute(1, 2, 0).clamp(0, 1).numpy()
    box = (x - side / 2, x + side / 2, y + side / 2, y - side / 2)
    limits = axes.get_xlim(), axes.get_ylim()
    style = {"interpolation": "none", "aspect": "auto", "zorder": 3} | style
    axes.imshow((rgb * 255).round().astype(np.uint8), extent=box, **style)
    axes.set(xlim=limits[0], ylim=limits[1])


def sheets(
    axes: Axes, x: float, y: float, side: float, count: int, colour: str,
    front: Tensor | None = None,
) -> None:  # fmt: skip
    """A stack of ``count`` frames, one behind the other; the middle of the stack is at (x, y)."""
    step = min(22 / max(count - 1, 1), 6)
    for i in reversed(range(count)):
        dx, dy = (i - (count - 1) / 2) * step, -(i - (count - 1) / 2) * step
        corner = (x + dx - side / 2, y + dy - side / 2)
        edge = {"ec": WHITE if count < 16 else "#ffffff99", "lw": 1.2 if count < 16 else 0.6}
        axes.add_patch(Rectangle(corner, side, side, fc=colour, **edge, zorder=2))
    if front is not None:
        shift = -(count - 1) / 2 * step
        picture(axes, x + shift, y - shift, side, front)


def badge(axes: Axes, x: float, y: float, letter: str, colour: str, radius: float = 24,
          size: float = 24) -> None:  # fmt: skip
    box = FancyBboxPatch(
        (x - radius, y - radius), 2 * radius, 2 * radius, fc=colour, ec="none", zorder=3,
        boxstyle=f"round,pad=0,rounding_size={0.4 * radius}",
    )  # fmt: skip
    axes.add_patch(box)
    write(axes, x, y, letter, size, color=WHITE, weight="bold", zorder=4, va="center_baseline")


def side_of(stage: Stage) -> float:
    """How large a map is drawn: 17 units more each time its sides double."""
    return 24 + 17 * float(np.log2(stage.shape[-1] / 4))


def times(numbers: Sequence[int]) -> str:
    return "×".join(map(str, numbers))


def label(axes: Axes, x: float, y: float, shape: tuple[int, ...]) -> None:
    """Channels, and below them (frames by) height by width."""
    write(axes, x, y, str(shape[0]), 22, weight="bold")
    write(axes, x, y + 26, times(shape[1:]), 19, color=SOFT)


def lane(
    axes: Axes, xs: Sequence[float], y: float, levels: Sequence[Stage], colour: str,
    front: Tensor | None = None, below: float | None = None,
) -> None:  # fmt: skip
    """A row of maps with arrows between, and their shapes below."""
    for i, (x, level) in enumerate(zip(xs, levels, strict=True)):
        count = level.shape[1] if len(level.shape) == 4 else 1
        last = front if i == len(levels) - 1 else None
        sheets(axes, x, y, side_of(level), count, colour, last)
        if below is not None:
            label(axes, x, below, level.shape)
        if i:
            half = 13 if count > 1 else 3
            gap = side_of(levels[i - 1]) / 2 + half + 3, side_of(level) / 2 + half + 3
            arrow(axes, (xs[i - 1] + gap[0], y), (x - gap[1], y))


def kernels(axes: Axes, spans: Sequence[tuple[float, float]], y: float, levels: Sequence[Stage],
            what: str = "deconv") -> None:  # fmt: skip
    """Say above the arrows which kernels stand between the maps."""
    groups = list(dict.fromkeys((level.kernel, level.stride, level.padding) for level in levels))
    for (left, right), (kernel, stride, padding) in zip(spans, groups, strict=True):
        axes.plot([left, left, right, right], [y + 24, y + 17, y + 17, y + 24], color=GREY, lw=1.5)
        write(axes, (left + right) / 2, y - 18, f"{what} {times(kernel)}", 19, color=INK)
        write(axes, (left + right) / 2, y + 4, f"stride {stride[0]}, pad {padding[0]}", 19,
              color=SOFT)  # fmt: skip


def box(
    axes: Axes, x: float, y: float, words: str, width: float = 96, height: float = 56,
    colour: str = CODE, **style: Any,
) -> None:  # fmt: skip
    patch = FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height, fc=colour, ec="none", zorder=2,
        boxstyle="round,pad=0,rounding_size=10",
    )  # fmt: skip
    axes.add_patch(patch)
    write(axes, x, y, words, **{"zorder": 4, "size": 20} | style)


def line(axes: Axes, *points: tuple[float, float], **style: Any) -> None:
    """A line through corners that ends in an arrow."""
    if len(points) > 2:
        xs, ys = zip(*points[:-1], strict=True)
        colour = style.get("color", GREY)
        axes.plot(xs, ys, color=colour, lw=2.4, ls=style.get("ls", "-"), solid_capstyle="butt")
    arrow(axes, points[-2], points[-1], **style)


def framed(axes: Axes, x: float, y: float, side: float, image: Tensor) -> None:
    picture(axes, x, y, side, image)
    axes.add_patch(
        Rectangle((x - side / 2, y - side / 2), side, side, fc="none", ec=GREY, lw=1, zorder=4)
    )


# Bodies

_FACE = skeleton.JOINTS.index("right eye")  # this joint and those after it
_EARS = [skeleton.JOINTS.index(f"{side} ear") for side in ("left", "right")]


def stick(
    axes: Axes, pose: Tensor, x: float, y: float, height: float, colour: str, **style: Any
) -> np.ndarray:
    """Draw one pose (18, 3) with its middle at (x, y); return where its joints came to lie."""
    place = pose[:, :2].numpy()
    low, high = place.min(0), place.max(0)
    at = (place - (low + high) / 2) * height / float(high[1] - low[1]) + (x, y)
    style = {"lw": 4, "solid_capstyle": "round", "zorder": 3} | style
    for a, b in skeleton.LIMBS:
        if max(a, b) < _FACE and min(a, b) > 0:
            axes.plot(at[[a, b], 0], at[[a, b], 1], color=colour, **style)
    head = at[_EARS].mean(0)
    ring = {"fc": PAPER, "ec": colour, "lw": style["lw"], "zorder": style["zorder"]}
    axes.add_patch(Ellipse(tuple(head), 0.17 * height, 0.17 * height, **ring,
                           alpha=style.get("alpha")))  # fmt: skip
    return at


def drawn(pose: Tensor, size: int = 64) -> Tensor:
    """A pose as the networks see it: a coloured stick figure on black, (3, S, S) in [0, 1]."""
    scale = torch.tensor([size, size, 1.0])
    return unit(skeleton.draw(pose * scale, height=size, width=size))
