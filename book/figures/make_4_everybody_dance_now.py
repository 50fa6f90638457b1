"""Draw the figures of chapter 4 from the networks, puppets and functions themselves.

    python book/figures/make_4_everybody_dance_now.py [NAME ...]

Shapes and parameter counts are read off the library's networks, on torch's meta device; curves are
computed by the library's functions; bodies and films are puppets. The same library gives the same
files, byte for byte.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import drawing
import numpy as np
import torch
import torch.nn.functional as F
from drawing import (
    CODE,
    GREEN,
    GREY,
    INK,
    MADE,
    MASK,
    MOVING,
    PURPLE,
    REAL,
    SOFT,
    STILL,
    WHITE,
    arrow,
    badge,
    box,
    canvas,
    drawn,
    expected,
    framed,
    line,
    parameters,
    picture,
    save,
    stick,
    times,
    unit,
    write,
)  # fmt: skip
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, Polygon, Rectangle
from torch import Tensor, nn

from vidgen_lite.data.actions import act
from vidgen_lite.data.motion import Motion
from vidgen_lite.data.puppets import CAST, FPS, SCENES, Puppet, PuppetClips, make_clips
from vidgen_lite.everybody_dance_now import (
    GlobalGenerator,
    LocalEnhancer,
    MultiscaleDiscriminator,
)
from vidgen_lite.gan_objective import discriminator_loss, generator_loss
from vidgen_lite.skeleton import JOINTS

drawing.chapter("4_everybody_dance_now")

FRAMES = 24
NOW, NEXT = 10, 13  # two moments of the dance, further apart than real neighbours, to be seen
DANCER, TARGET = 4, 0  # who dances and who is to dance, of the cast
ANKLES = [JOINTS.index(f"{side} ankle") for side in ("left", "right")]
NOSE = JOINTS.index("nose")
GLOBAL_SIZE, LOCAL_SIZE = (256, 512), (512, 1024)  # height, width


# Films


@functools.cache
def dance() -> Motion:
    return act("dance", frames=FRAMES, fps=FPS, generator=torch.Generator().manual_seed(5))


@functools.cache
def film(who: int | Puppet, scene: int = 0, size: int = 64) -> PuppetClips:
    """The same dance, whoever dances it."""
    puppet = CAST[who] if isinstance(who, int) else who
    return make_clips(1, seed=3, frames=FRAMES, size=size, puppets=[puppet],
                      scenes=[SCENES[scene]], motions=[dance()])  # fmt: skip


def frame(who: int | Puppet, t: int, scene: int = 0, size: int = 64) -> Tensor:
    return unit(film(who, scene, size).video[0, :, t])


def pose(who: int | Puppet, t: int) -> Tensor:
    """(18, 3), the frame's sides being 1."""
    return film(who).pose[0, t] * torch.tensor([1 / 64, 1 / 64, 1.0])


def skeleton_of(who: int | Puppet, t: int) -> Tensor:
    return drawn(pose(who, t))


def smaller(puppet: Puppet, by: float) -> Puppet:
    names = ("head", "torso", "leg", "arm", "shoulders", "hips")
    return replace(puppet, **{name: by * getattr(puppet, name) for name in names})


# Networks


def shapes(network: nn.Module, *inputs: Tensor) -> list[tuple[int, ...]]:
    """What comes out of each convolution, (C, H, W), in the order in which they run."""
    found: list[tuple[int, ...]] = []
    for layer in network.modules():
        if isinstance(layer, nn.modules.conv._ConvNd):
            layer.register_forward_hook(lambda _l, _i, out: found.append(tuple(out.shape[1:])))
    network(*inputs)
    return found


def sees(judge: nn.Module, halvings: int) -> int:
    """How many pixels of the picture, along a side, one verdict is based on."""
    field, step = 1, 1
    for _ in range(halvings):  # an average over 3 pixels, stride 2
        field, step = field + 2 * step, 2 * step
    for layer in judge.modules():
        if isinstance(layer, nn.Conv2d):
            field += (layer.kernel_size[0] - 1) * step
            step *= layer.stride[0]
    return field


# Parts of drawings


def edged(axes: Axes, x: float, y: float, side: float, image: Tensor, colour: str) -> None:
    picture(axes, x, y, side, image)
    corner = (x - side / 2, y - side / 2)
    axes.add_patch(Rectangle(corner, side, side, fc="none", ec=colour, lw=3, zorder=4))


def band(axes: Axes, left: float, right: float, top: float, bottom: float, colour: str,
         alpha: float = 0.35) -> None:  # fmt: skip
    axes.add_patch(FancyBboxPatch(
        (left, top), right - left, bottom - top, fc=colour, ec="none", alpha=alpha, zorder=0,
        boxstyle="round,pad=0,rounding_size=14",
    ))  # fmt: skip


def nothing() -> Tensor:
    return torch.full((3, 8, 8), 0.5)  # zero, on a scale from -1 to 1


def curve(axes: Axes, xs: np.ndarray, ys: np.ndarray, colour: str, **style: Any) -> None:
    axes.plot(xs, ys, color=colour, **{"lw": 3.4, "zorder": 3} | style)


# The figures


def task() -> None:
    """One dancer, three others: who is who, and what is wanted."""
    axes, moments = canvas(560), (3, 8, 13, 18, 22)
    rows = ((DANCER, 2, REAL), (0, 0, MADE), (3, 1, MADE), (6, 3, MADE))
    ys = (80, 246, 366, 486)
    write(axes, 60, 70, "filmed:", 20, color=REAL, weight="bold")
    write(axes, 60, 96, "the source", 19, color=REAL)
    write(axes, 60, 352, "wanted:", 20, color=MADE, weight="bold")
    write(axes, 60, 378, "the targets", 19, color=MADE)
    for (who, scene, colour), y in zip(rows, ys, strict=True):
        for i, t in enumerate(moments):
            edged(axes, 178 + 118 * i, y, 106, frame(who, t, scene), colour)
    for i in range(5):
        line(axes, (178 + 118 * i, 142), (178 + 118 * i, 184))
    save(axes, "4_task")


def generator() -> None:
    """The coarse-to-fine generator: a global network inside a local one."""
    with torch.device("meta"):
        coarse, fine = GlobalGenerator(), LocalEnhancer()
    inner = shapes(coarse, torch.empty(1, 3, *GLOBAL_SIZE, device="meta"))
    outer = shapes(fine, torch.empty(1, 3, *LOCAL_SIZE, device="meta"))
    down, up = inner[:5], inner[-5:-1]  # 64 … 1024, 512 … 64
    residual = (len(inner) - len(down) - len(up) - 1) // 2
    assert inner[-1] == (3, *GLOBAL_SIZE)
    assert (outer[-1], outer[-2]) == ((3, *LOCAL_SIZE), (32, *LOCAL_SIZE))
    axes = canvas(690)
    band(axes, 12, 708, 10, 262, MOVING, 0.4)
    band(axes, 12, 708, 276, 680, STILL, 0.5)
    write(axes, 694, 34, "local enhancer", 21, weight="bold", ha="right", color=MADE)
    write(axes, 694, 300, "global generator", 21, weight="bold", ha="right", color=GREEN)

    def wide(x: float, y: float, shape: tuple[int, ...], colour: str) -> None:
        """A map twice as wide as high; its area grows slowly with its true one."""
        broad = 54 + 9 * float(np.log2(shape[-1] / 64))
        corner = (x - broad / 2, y - broad / 4)
        axes.add_patch(Rectangle(corner, broad, broad / 2, fc=colour, ec=WHITE, lw=1.4, zorder=3))
        ink = WHITE if colour == MADE else INK
        write(axes, x, y, str(shape[0]), 20, weight="bold", zorder=4, color=ink)

    y = 116
    row = (
        (64, (6, *LOCAL_SIZE), CODE), (174, outer[0], MOVING), (276, outer[1], MOVING),
        (410, outer[1], MOVING), (520, outer[-2], MOVING), (644, outer[-1], MADE),
    )  # fmt: skip
    for x, level, colour in row:
        wide(x, y, level, colour)
    write(axes, 24, 54, "x and previous frame", 19, color=SOFT, ha="left")
    axes.add_patch(Circle((343, y), 16, fc=WHITE, ec=GREY, lw=2, zorder=4))
    write(axes, 343, y, "+", 24, weight="bold", zorder=5)
    gaps = ((111, 126), (222, 232), (318, 326), (360, 367), (453, 472), (568, 596))
    for left, right in gaps:
        line(axes, (left, y), (right, y), lw=1.6)
    labels = ((64, LOCAL_SIZE), (174, LOCAL_SIZE), (276, GLOBAL_SIZE), (520, LOCAL_SIZE),
              (644, LOCAL_SIZE))  # fmt: skip
    for x, size in labels:
        write(axes, x, 164, times(size), 19, color=SOFT)
    write(axes, 410, 164, "3 residual", 19, color=SOFT)
    write(axes, 410, 188, "blocks", 19, color=SOFT)

    xs, top = (110, 560), 338
    wide(xs[0], top, (6, *GLOBAL_SIZE), CODE)
    line(axes, (64, 182), (64, 304))
    write(axes, 78, 236, "halved", 19, color=SOFT, ha="left")
    ys = [402 + 58 * i for i in range(4)]
    for i, level in enumerate(down[:-1]):
        wide(xs[0], ys[i], level, STILL)
        write(axes, xs[0] + 66, ys[i], times(level[1:]), 19, color=SOFT, ha="left")
    for i, level in enumerate(reversed(up)):
        wide(xs[1], ys[i], level, STILL)
        write(axes, xs[1] - 66, ys[i], times(level[1:]), 19, color=SOFT, ha="right")
    for x in xs:
        axes.plot([x, x], [top if x == xs[0] else ys[0], 640], color=GREY, lw=2.4, zorder=1)
    y = 640
    line(axes, (xs[0], y), (226, y))
    axes.plot([446, xs[1]], [y, y], color=GREY, lw=2.4, zorder=1)
    axes.add_patch(FancyBboxPatch((230, y - 26), 212, 52, fc=GREEN, ec="none", zorder=3,
                                  boxstyle="round,pad=0,rounding_size=10"))  # fmt: skip
    write(axes, 336, y - 11, f"{down[-1][0]} maps, {times(down[-1][1:])}", 19, color=WHITE,
          zorder=4)  # fmt: skip
    write(axes, 336, y + 12, f"{residual} residual blocks", 19, color=WHITE, zorder=4)
    line(axes, (xs[1], 382), (xs[1], 330), (343, 330), (343, 136), color=GREEN)
    write(axes, 632, 616, parameters(coarse), 20, color=GREEN)
    write(axes, 632, 642, "weights", 20, color=GREEN)
    more = sum(p.numel() for p in fine.parameters()) - sum(p.numel() for p in coarse.parameters())
    write(axes, 524, 236, f"{more:,} weights more", 20, color=MADE)
    save(axes, "4_generator")


def discriminator() -> None:
    """What the discriminator reads: real pairs, made pairs, and a pair that gives itself away."""
    other = replace(CAST[TARGET], shirt=(0.30, 0.42, 0.85))
    rows: tuple[tuple[str, str, Callable[[int], Tensor], Callable[[int], Tensor], str], ...] = (
        ("filmed", REAL, lambda t: frame(TARGET, t), lambda t: frame(TARGET, t), "real"),
        ("made", MADE, lambda t: frame(TARGET, t), lambda t: frame(other, t), "made"),
    )
    axes = canvas(430)
    for i, word in enumerate(("$x_t$", "$x_{t+1}$")):
        write(axes, 112 + 110 * i, 26, word, 22)
    for row, (word, colour, first, second, verdict) in enumerate(rows):
        y = 106 + 184 * row
        band(axes, 52, 510, y - 58, y + 58, colour, 0.16)
        write(axes, 26, y, word, 21, color=colour, weight="bold", rotation=90)
        for i, t in enumerate((NOW, NEXT)):
            framed(axes, 112 + 110 * i, y, 100, skeleton_of(TARGET, t))
        edged(axes, 340, y, 100, first(NOW), colour)
        edged(axes, 450, y, 100, second(NEXT), colour)
        name = "y" if row == 0 else "G(x"
        for i, index in enumerate(("t", "t+1")):
            mark = f"$y_{{{index}}}$" if name == "y" else f"$G(x_{{{index}}})$"
            write(axes, 340 + 110 * i, y - 80 if row == 0 else y - 76, mark, 22, color=colour)
        line(axes, (512, y), (536, y), color=colour)
        badge(axes, 570, y, "D", SOFT, 30, 26)
        line(axes, (604, y), (626, y), color=colour)
        write(axes, 634, y, verdict, 22, color=colour, weight="bold", ha="left")
    write(axes, 281, 374, "12 channels: 3 + 3 + 3 + 3", 20, color=SOFT)
    write(axes, 281, 406, "each frame would pass; the pair does not", 20, color=MADE)
    save(axes, "4_discriminator")


def patches() -> None:
    """How large a part of the picture one verdict of each discriminator looks at."""
    with torch.device("meta"):
        judge = MultiscaleDiscriminator()
    pair = torch.empty(1, 3, 2, *LOCAL_SIZE, device="meta")
    found = shapes(judge, pair, pair)
    verdicts = [shape for shape in found if shape[0] == 1]
    side, (x0, y0) = 444, (234, 234)
    axes = canvas(468)
    scale = side / LOCAL_SIZE[0]
    picture(axes, x0, y0, side, frame(TARGET, NOW, 0, 256))
    head = film(TARGET, 0, 256).face_box[0, NOW]
    cx, cy = (float(head[0] + head[2]) / 2, float(head[1] + head[3]) / 2)
    at = x0 - side / 2 + cx * side / 256, y0 - side / 2 + cy * side / 256
    for k, (colour, one) in enumerate(zip((REAL, PURPLE, MADE), judge.scales, strict=True)):
        field = sees(one, k)
        half = field * scale / 2
        y = at[1] + (0, 26, 84)[k]
        axes.add_patch(Rectangle((at[0] - half, y - half), 2 * half, 2 * half, fc="none",
                                 ec=WHITE, lw=7, zorder=4))  # fmt: skip
        axes.add_patch(Rectangle((at[0] - half, y - half), 2 * half, 2 * half, fc="none",
                                 ec=colour, lw=4, zorder=5))  # fmt: skip
        top = 84 + 142 * k
        badge(axes, 498, top, f"$D_{k + 1}$", colour, 26, 21)
        write(axes, 536, top - 14, f"sees {field}×{field}", 20, ha="left", weight="bold",
              color=colour)  # fmt: skip
        write(axes, 536, top + 14, f"{times(verdicts[k][1:])} verdicts", 19, ha="left", color=SOFT)
    save(axes, "4_patches")


def losses() -> None:
    """Logarithm against least squares, by the score of a sample; and the pull on G."""
    score = torch.linspace(-4, 4, 161, dtype=torch.float64)
    axes = canvas(440)

    def each(loss: Callable[[Tensor], Tensor]) -> tuple[np.ndarray, np.ndarray]:
        s = score.clone().requires_grad_()
        values = torch.stack([loss(one[None]) for one in s])
        (slopes,) = torch.autograd.grad(values.sum(), s)
        return values.detach().numpy(), slopes.numpy()

    far = torch.tensor([0.0], dtype=torch.float64)
    panels = (
        (66, 348, "D’s loss", 5.0, (
            (each(lambda s: discriminator_loss(s, far, kind="minimax").real)[0], REAL, "--"),
            (each(lambda s: discriminator_loss(far, s, kind="minimax").fake)[0], MADE, "--"),
            (each(lambda s: discriminator_loss(s, far, kind="least_squares").real)[0], REAL, "-"),
            (each(lambda s: discriminator_loss(far, s, kind="least_squares").fake)[0], MADE, "-"),
        )),
        (424, 706, "G’s pull", 5.0, (
            (np.abs(each(lambda s: generator_loss(s, kind="minimax"))[1]), SOFT, ":"),
            (np.abs(each(lambda s: generator_loss(s, kind="non_saturating"))[1]), PURPLE, "--"),
            (np.abs(each(lambda s: 2 * generator_loss(s, kind="least_squares"))[1]), GREEN, "-"),
        )),
    )  # fmt: skip
    y0, y1 = 326, 66
    for x0, x1, title, top, curves in panels:
        write(axes, (x0 + x1) / 2, 30, title, 21, weight="bold")
        xs = x0 + (x1 - x0) * (score.numpy() + 4) / 8
        axes.plot([x0, x0, x1], [y1 - 8, y0, y0], color=GREY, lw=1.5)
        for value in (-4, -2, 0, 2, 4):
            word = str(value).replace("-", "−")
            write(axes, x0 + (x1 - x0) * (value + 4) / 8, y0 + 22, word, 19, color=SOFT)
        for value in (0, 2, 4):
            write(axes, x0 - 18, y0 + (y1 - y0) * value / top, str(value), 19, color=SOFT)
        for values, colour, style in curves:
            shown = np.where(values <= top, values, np.nan)
            curve(axes, xs, y0 + (y1 - y0) * shown / top, colour, ls=style)
        write(axes, (x0 + x1) / 2, y0 + 50, "score s", 19, color=SOFT)
    y = 408
    for x, words, colour, style in ((66, "real", REAL, "-"), (160, "made", MADE, "-")):
        axes.plot([x, x + 30], [y, y], color=colour, lw=3.4, ls=style)
        write(axes, x + 38, y, words, 19, color=colour, ha="left")
    write(axes, 262, y, "dashed: log", 19, color=SOFT, ha="left")
    for x, words, colour in ((404, "squares", GREEN), (500, "non-sat.", PURPLE),
                             (600, "log(1−D)", SOFT)):  # fmt: skip
        write(axes, x, y, words, 19, color=colour, ha="left", weight="bold")
    save(axes, "4_losses")


def objective() -> None:
    """All of stage 1: two calls of G, and who judges what comes out."""
    axes = canvas(650)
    xs, ys = (196, 410), {"y": 82, "G": 246, "x": 566}
    band(axes, 86, 486, ys["y"] - 66, ys["y"] + 66, REAL, 0.14)
    band(axes, 86, 486, ys["G"] - 66, ys["G"] + 66, MADE, 0.14)
    band(axes, 86, 486, ys["x"] - 66, ys["x"] + 66, GREY, 0.20)
    for x, t, index in zip(xs, (NOW, NEXT), ("t", "t+1"), strict=True):
        edged(axes, x, ys["y"], 108, frame(TARGET, t), REAL)
        edged(axes, x, ys["G"], 108, frame(TARGET, t), MADE)
        framed(axes, x, ys["x"], 108, skeleton_of(TARGET, t))
        badge(axes, x, 408, "G", MADE, 30, 26)
        line(axes, (x, 508), (x, 442))
        line(axes, (x, 374), (x, 304), color=MADE)
        arrow(axes, (x, ys["y"] + 58), (x, ys["G"] - 58), color=PURPLE, lw=3,
              arrowstyle="<|-|>,head_width=0.35,head_length=0.6")  # fmt: skip
        write(axes, x - 62, ys["y"], f"$y_{{{index}}}$", 21, color=REAL, ha="right")
        write(axes, x - 60, ys["G"] - 42, f"$G(x_{{{index}}})$", 20, color=MADE, ha="right")
        write(axes, x - 60, ys["x"], f"$x_{{{index}}}$", 21, ha="right")
        write(axes, x + 12, (ys["y"] + ys["G"]) / 2, "$\\mathcal{L}_P$", 20, color=PURPLE,
              ha="left")  # fmt: skip
    framed(axes, 88, 408, 62, nothing())
    write(axes, 88, 408, "0", 22, zorder=5, weight="bold")
    line(axes, (122, 408), (162, 408))
    line(axes, (196, 330), (303, 330), (303, 408), (376, 408), color=MADE)
    for k in range(3):
        badge(axes, 580, 330 - 76 * k, f"$D_{3 - k}$", SOFT, 28, 22)
    band(axes, 540, 620, 136, 372, MASK, 0.7)
    line(axes, (488, ys["y"]), (580, ys["y"]), (580, 130), color=REAL)
    line(axes, (488, ys["G"]), (536, ys["G"]), color=MADE)
    line(axes, (488, ys["x"]), (580, ys["x"]), (580, 378))
    write(axes, 630, 234, "$\\mathcal{L}_{smooth}$", 21, ha="left")
    write(axes, 630, 274, "$\\mathcal{L}_{FM}$", 21, ha="left")
    save(axes, "4_objective")


def inference() -> None:
    """From a frame of the source to a frame of the target."""
    small = smaller(CAST[DANCER], 0.72)
    axes, side, y = canvas(396), 118, 128
    xs = (74, 248, 466, 640)
    edged(axes, xs[0], y, side, frame(small, NOW, 2), REAL)
    framed(axes, xs[1], y, side, skeleton_of(small, NOW))
    framed(axes, xs[2], y, side, skeleton_of(TARGET, NOW))
    edged(axes, xs[3], y, side, frame(TARGET, NOW), MADE)
    marks = ("$y'_t$", "$x'_t$", "$x_t$", "$G(x_t)$")
    for x, mark, colour in zip(xs, marks, (REAL, INK, INK, MADE), strict=True):
        write(axes, x, 40, mark, 22, color=colour)
    badge(axes, 161, y, "P", SOFT, 20, 22)
    line(axes, (136, y), (140, y), lw=1)
    line(axes, (183, y), (188, y), lw=1)
    box(axes, 357, y, "normal-\nise", width=84, height=66, colour=STILL)
    for start, end in ((308, 314), (400, 406)):
        line(axes, (start, y), (end, y), lw=1)
    badge(axes, 553, y, "G", MADE, 22, 24)
    line(axes, (526, y), (530, y), lw=1)
    line(axes, (576, y), (580, y), lw=1)
    line(axes, (640, 190), (640, 290), (553, 290), (553, 152), color=MADE)
    write(axes, 596, 264, "previous", 19, color=MADE)
    framed(axes, 488, 290, 44, nothing())
    write(axes, 488, 290, "0", 20, weight="bold", zorder=5)
    line(axes, (512, 290), (549, 290))
    write(axes, 488, 330, "the first time", 19, color=SOFT)
    line(axes, (357, 290), (357, 164), color=GREEN)
    write(axes, 240, 300, "ankles and heights", 19, color=GREEN)
    write(axes, 240, 326, "of both people", 19, color=GREEN)
    axes.plot([332, 357], [290, 290], color=GREEN, lw=2.4)
    write(axes, 74, 216, "the source", 19, color=REAL)
    write(axes, 640, 216, "", 19)
    write(axes, 360, 372, "no network here was trained on the source", 20, color=SOFT)
    save(axes, "4_inference")


def normalise() -> None:
    """Close and far ankles of two films, and what happens to a pose between."""
    axes = canvas(470)
    # Of each panel: its left and right edge, ankles close and far, heights close and far, colour.
    panels = (
        (16, 336, (392, 282), (196, 120), REAL, "source", "s"),
        (384, 704, (416, 246), (272, 108), MADE, "target", "t"),
    )
    for left, right, (close, far), (tall, short), colour, word, letter in panels:
        middle = (left + right) / 2
        write(axes, middle, 28, word, 22, weight="bold", color=colour)
        floor = [(left, close + 26), (right, close + 26), (right - 50, far - 22),
                 (left + 50, far - 22)]  # fmt: skip
        axes.add_patch(Polygon(floor, fc=CODE, alpha=0.7, zorder=0))
        between = (close + far) / 2, (tall + short) / 2
        for x, (y, height), shade in (
            (left + 96, (close, tall), colour),
            (middle + 14, between, INK),
            (right - 76, (far, short), colour),
        ):
            standing(axes, standing_pose(), x, y, height, shade)
        for x, y, height, when in (
            (left + 24, close, tall, "close"), (right - 34, far, short, "far")
        ):  # fmt: skip
            arrow(axes, (x, y), (x, y - height), color=colour, lw=1.8, arrowstyle="<->")
            side, edge = ("left", left) if when == "close" else ("right", right)
            write(axes, edge, y - height - 20, f"$h_{{{letter},{when}}}$", 20, color=colour,
                  ha=side)  # fmt: skip
        for y, when in ((close, "close"), (far, "far")):
            axes.plot([left, right], [y, y], color=colour, lw=2, ls=(0, (5, 4)), zorder=1)
            write(axes, right - 2, y + 17, f"${letter}_{{{when}}}$", 21, color=colour, ha="right")
    line(axes, (216, 337), (532, 331), color=INK, lw=2, ls=(0, (5, 3)))
    write(axes, 360, 454, "black: half way here, half way there", 20, color=INK)
    save(axes, "4_normalise")


@functools.cache
def standing_pose() -> Tensor:
    """Standing, the arms down: how a squat begins, (18, 3)."""
    rest = act("squat", frames=FRAMES, fps=FPS, generator=torch.Generator().manual_seed(3))
    clip = make_clips(1, seed=3, frames=FRAMES, puppets=[CAST[TARGET]], motions=[rest])
    height = clip.pose[0, :, ANKLES, 1].mean(1) - clip.pose[0, :, NOSE, 1]
    return clip.pose[0, int(height.argmax())] * torch.tensor([1 / 64, 1 / 64, 1.0])


def standing(axes: Axes, body: Tensor, x: float, y: float, height: float, colour: str) -> None:
    """A stick figure with its mean ankle at (x, y), that many units from ankle to nose."""
    ankle = body[ANKLES, :2].mean(0)
    scale = height / float((body[NOSE, :2] - ankle).norm())
    low, high = body[:, :2].min(0).values, body[:, :2].max(0).values
    middle = ((low + high) / 2 - ankle) * scale
    tall = float(high[1] - low[1]) * scale
    stick(axes, body, x + float(middle[0]), y + float(middle[1]), tall, colour, lw=3.2)


def ankles() -> None:
    """Ankle heights of an invented dance: why far is not simply the smallest."""
    random = np.random.default_rng(2)
    t = np.arange(300)
    slow = np.sin(t / 31 + 0.4)
    y = (
        556
        + np.where(slow > 0, 62, 30) * slow
        + 7 * np.sin(t / 7.3)
        + random.normal(0, 1.5, len(t))
    )
    for jump in (72, 188, 246):
        y -= 150 * np.clip(1 - ((t - jump) / 7) ** 2, 0, None)
    close, median = y.max(), np.median(y)
    inside = (y < median) & (median - y < 0.7 * (close - median))
    far = y[inside].min()
    axes, (x0, x1) = canvas(400), (64, 560)
    low, high, y0, y1 = 330.0, 640.0, 30, 340

    def to_y(value: float | np.ndarray) -> Any:
        return y0 + (y1 - y0) * (value - low) / (high - low)

    axes.add_patch(Rectangle((x0, to_y(median - 0.7 * (close - median))), x1 - x0,
                             to_y(median) - to_y(median - 0.7 * (close - median)),
                             fc=STILL, alpha=0.6, zorder=0))  # fmt: skip
    xs = x0 + (x1 - x0) * t / t[-1]
    axes.plot(xs, to_y(y), "-", color=GREY, lw=1.6)
    axes.plot(xs[inside], to_y(y[inside]), ".", color=GREEN, ms=6)
    for value, words, colour in (
        (close, "$s_{close}$", REAL),
        (median, "median", SOFT),
        (far, "$s_{far}$", GREEN),
        (y.min(), "smallest", MADE),
    ):
        axes.plot([x0, x1], [to_y(value)] * 2, color=colour, lw=2.2, ls=(0, (5, 4)))
        write(axes, x1 + 12, to_y(value), words, 21, color=colour, ha="left", weight="bold")
    axes.plot([x0, x0], [y0 - 8, y1 + 8], color=GREY, lw=1.5)
    write(axes, 30, (y0 + y1) / 2, "mean ankle, y", 20, color=SOFT, rotation=90)
    write(axes, (x0 + x1) / 2, 376, "frames; three jumps reach up", 20, color=SOFT)
    save(axes, "4_ankles")


def face() -> None:
    """A crop, its residual, and the sum."""
    size = 256
    clip = film(TARGET, 0, size)
    x0, y0, x1, y1 = clip.face_box[0, NOW].round().int().tolist()
    side = min(x1 - x0, y1 - y0)
    y1, x1 = y0 + side, x0 + side
    true = unit(clip.video[0, :, NOW])[:, y0:y1, x0:x1]
    small = F.interpolate(true[None], (11, 11), mode="area")
    rough = F.interpolate(small, (side, side), mode="bicubic").clamp(0, 1)[0]
    residual = true - rough
    stickman = drawn(pose(TARGET, NOW), size)[:, y0:y1, x0:x1]
    axes = canvas(470)
    framed(axes, 76, 110, 112, stickman)
    edged(axes, 76, 300, 112, rough, MADE)
    write(axes, 76, 32, "$x_F$", 22)
    write(axes, 76, 222, "$G(x)_F$", 22, color=MADE)
    badge(axes, 222, 176, "$G_f$", MADE, 32, 24)
    line(axes, (136, 122), (186, 158))
    line(axes, (136, 286), (186, 196), color=MADE)
    framed(axes, 344, 176, 112, (residual * 0.8 + 0.5).clamp(0, 1))
    write(axes, 344, 98, "$r$", 22, color=MADE)
    line(axes, (258, 176), (284, 176), color=MADE)
    axes.add_patch(Circle((344, 300), 20, fc=WHITE, ec=GREY, lw=2, zorder=4))
    write(axes, 344, 300, "+", 26, weight="bold", zorder=5)
    line(axes, (136, 300), (320, 300), color=MADE)
    line(axes, (344, 234), (344, 278), color=MADE)
    edged(axes, 478, 300, 112, true, MADE)
    write(axes, 478, 222, "$G(x)_F + r$", 22, color=MADE)
    line(axes, (366, 300), (418, 300), color=MADE)
    edged(axes, 478, 110, 112, true, REAL)
    write(axes, 478, 32, "$y_F$", 22, color=REAL)
    badge(axes, 634, 206, "$D_f$", SOFT, 32, 24)
    line(axes, (538, 122), (598, 190), color=REAL)
    line(axes, (538, 286), (598, 226), color=MADE)
    line(axes, (76, 360), (76, 420), (634, 420), (634, 242))
    write(axes, 356, 442, "$x_F$ goes to $D_f$ too", 20, color=SOFT)
    save(axes, "4_face")


def stages() -> None:
    """What is trained when: the paper's and the slides' account, and the released code's."""
    axes = canvas(500)
    columns = (
        (262, "1, global", times(GLOBAL_SIZE)),
        (430, "1, local", times(LOCAL_SIZE)),
        (606, "2, face", "face, 128×128"),
    )
    rows = ("global generator", "local enhancer", "$D_1, D_2, D_3$", "$G_f$", "$D_f$")
    state = (
        ("trained", "trained", "frozen"),
        ("", "trained", "frozen"),
        ("trained", "trained", "both"),
        ("", "", "trained"),
        ("", "", "trained"),
    )
    for x, word, size in columns:
        write(axes, x, 26, word, 21, weight="bold")
        write(axes, x, 54, size, 19, color=SOFT)
    for row, (name, cells) in enumerate(zip(rows, state, strict=True)):
        y = 112 + 72 * row
        write(axes, 14, y, name, 20, ha="left")
        for (x, _, _), cell in zip(columns, cells, strict=True):
            wide = 172 if x == 606 else 150
            if cell == "trained":
                box(axes, x, y, "trained", wide, 52, MADE, color=WHITE)
            elif cell == "frozen":
                box(axes, x, y, "frozen", wide, 52, CODE, color=SOFT)
            elif cell == "both":
                box(axes, x - wide / 4 - 1, y, "", wide / 2 - 2, 52, CODE)
                box(axes, x + wide / 4 + 1, y, "", wide / 2 - 2, 52, MOVING)
                write(axes, x - wide / 4 - 1, y, "slide", 19, color=SOFT, zorder=4)
                write(axes, x + wide / 4 + 1, y, "code", 19, zorder=4)
            else:
                axes.add_patch(Circle((x, y), 4, fc=GREY, ec="none"))
    write(axes, 360, 474, "slide: frozen; code: trained again after ten epochs", 20,
          color=SOFT)  # fmt: skip
    save(axes, "4_stages")


def fit() -> None:
    """A source, a target, and the one fitted to the other, as the exercise asks for them."""
    expected("4_everybody_dance_now", "edn-solution-fit", "4_fit")


def tremble() -> None:
    """What a median over time takes away, of the tremble and of the dance."""
    expected("4_everybody_dance_now", "edn-solution-tremble", "4_tremble")


FIGURES = {
    f.__name__: f
    for f in (
        task, generator, discriminator, patches, losses, objective, inference, normalise, ankles,
        face, stages, fit, tremble,
    )
}  # fmt: skip

if __name__ == "__main__":
    torch.set_num_threads(1)
    names: Sequence[str] = sys.argv[1:] or tuple(FIGURES)
    for chosen in names:
        FIGURES[chosen]()
