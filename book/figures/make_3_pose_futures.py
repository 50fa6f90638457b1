"""Draw the figures of chapter 3 from the networks, puppets and functions themselves.

    python book/figures/make_3_pose_futures.py [NAME ...]

Shapes, kernels and parameter counts are read off the library's networks, on torch's meta device;
curves are computed by the library's functions; bodies and films are puppets. The same library
gives the same files, byte for byte.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence

import drawing
import numpy as np
import torch
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
    save,
    sheets,
    stick,
    times,
    unit,
    write,
)  # fmt: skip
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, Polygon, Rectangle
from torch import Tensor

from vidgen_lite import skeleton
from vidgen_lite.data.actions import act
from vidgen_lite.data.motion import Motion
from vidgen_lite.data.motion import unit as unit_vectors
from vidgen_lite.data.puppets import CAST, FPS, SCENES, PuppetClips, make_clips
from vidgen_lite.pose_futures import (
    PoseGenerator,
    best_of_n_error,
    direction_magnitude_to_velocity,
    gaussian_kl,
    velocity_to_direction_magnitude,
)

drawing.chapter("3_pose_futures")

STEP, PAST, FUTURE = 3, 2, 5  # frames a step, and how many steps
FRAMES = STEP * (PAST + FUTURE) + 1


# Bodies and films


def going_on(what: str | None) -> Motion:
    """Two steps of walking, and then another action slowly takes over (none: it walks on)."""
    walk, other = (
        act(name, frames=FRAMES, fps=FPS, generator=torch.Generator().manual_seed(3))
        for name in ("walk", what or "walk")
    )
    weight = ((torch.arange(FRAMES) - STEP * PAST) / (2.0 * STEP)).clamp(0, 1)
    directions = walk.directions.lerp(other.directions, weight[:, None, None])
    root = walk.root.lerp(walk.root[STEP * PAST] + other.root - other.root[0], weight[:, None])
    return Motion(unit_vectors(directions), root, FPS, what or "walk")


@functools.cache
def film(what: str | None, size: int = 64) -> PuppetClips:
    """A puppet that walks and goes on in one of several ways: one past, many futures."""
    return make_clips(
        1, seed=11, frames=FRAMES, size=size, puppets=CAST[2:3], scenes=SCENES[:1],
        motions=[going_on(what)],
    )  # fmt: skip


def poses(what: str | None) -> Tensor:
    """The pose at the start of every step and at the end of the last: (8, 18, 3), sides of 1."""
    scale = torch.tensor([1 / 64, 1 / 64, 1.0])
    return film(what).pose[0, ::STEP] * scale


# The figures


def pipeline() -> None:
    axes = canvas(470)
    now = STEP * PAST
    names: tuple[str | None, ...] = (None, "wave", "squat")
    for x, word in ((80, "one picture,"), (326, "skeletons"), (614, "films")):
        write(axes, x, 30, word, 21, weight="bold")
    write(axes, 80, 58, "a short past", 21, weight="bold")
    framed(axes, 80, 160, 132, unit(film(None).video[0, :, now]))
    for i in range(3):
        framed(axes, 36 + 44 * i, 276, 42, drawn(poses(None)[i]))
    write(axes, 80, 318, "past poses", 19, color=SOFT)
    badge(axes, 182, 218, "VAE", PURPLE, 30, 20)
    badge(axes, 466, 218, "GAN", MADE, 30, 20)
    line(axes, (148, 166), (160, 184), color=GREY)
    line(axes, (128, 272), (156, 252), color=GREY)
    for row, name in enumerate(names):
        y = 108 + 112 * row
        line(axes, (214, 218 + (y - 218) * 0.1), (236, y + (218 - y) * 0.25), color=PURPLE)
        line(axes, (414, y + (218 - y) * 0.1), (434, 218 + (y - 218) * 0.2), color=GREY)
        line(axes, (498, 218 + (y - 218) * 0.2), (524, y + (218 - y) * 0.1), color=MADE)
        for j, t in enumerate((10, 15, 21)):
            pose = film(name).pose[0, t] * torch.tensor([1 / 64, 1 / 64, 1.0])
            framed(axes, 266 + j * 60, y, 56, drawn(pose))
            framed(axes, 554 + j * 60, y, 56, unit(film(name).video[0, :, t]))
        write(axes, 326, y + 44, f"$z_{row + 1}$", 20, color=PURPLE)
    line(axes, (80, 334), (80, 440), (466, 440), (466, 254), color=GREY)
    write(axes, 274, 418, "the first frame", 19, color=SOFT)
    save(axes, "3_pipeline")


def tracks() -> None:
    """The poses of one window, the steps between them, and their names."""
    axes, y, every = canvas(360), 132, poses("wave")
    xs = [48 + 89 * i for i in range(len(every))]
    for i, (x, pose) in enumerate(zip(xs, every, strict=True)):
        known = i <= PAST
        stick(axes, pose, x, y, 150, REAL if known else MADE, alpha=1 if known else 0.75)
        axes.plot([x, x], [228, 242], color=INK, lw=2)
        write(axes, x, 262, f"$P_{i}$", 21, color=REAL if known else MADE)
        if i:
            colour = REAL if i <= PAST else MADE
            line(axes, (xs[i - 1] + 6, 300), (x - 6, 300), color=colour)
            write(axes, (xs[i - 1] + x) / 2, 326, f"$Y_{i}$", 21, color=colour)
    axes.plot([xs[0], xs[-1]], [235, 235], color=INK, lw=2)
    write(axes, (xs[0] + xs[2]) / 2, 24, f"{PAST} past steps", 21, color=REAL, weight="bold")
    write(axes, (xs[2] + xs[-1]) / 2 + 30, 24, f"{FUTURE} future steps", 21, color=MADE,
          weight="bold")  # fmt: skip
    axes.plot([xs[2] + 44] * 2, [12, 228], color=GREY, lw=2, ls=(0, (4, 3)))
    save(axes, "3_tracks")


def velocity() -> None:
    """A velocity, its two directions, and the curve that makes a magnitude of a length."""
    before, after = poses("squat")[3:5]
    change = (after - before)[:, :2]
    direction, magnitude = velocity_to_direction_magnitude(change)
    back = direction_magnitude_to_velocity(direction, magnitude)
    assert torch.allclose(back, change, atol=1e-5)
    axes = canvas(420)
    place = stick(axes, before, 100, 210, 250, GREY)
    scale = 250 / float(before[:, 1].max() - before[:, 1].min())
    for j in range(len(place)):
        end = place[j] + change[j].numpy() * scale
        arrow(axes, tuple(place[j]), tuple(end), color=MADE, lw=2.6, zorder=5)
    write(axes, 100, 30, "the velocity", 21, weight="bold")
    write(axes, 100, 390, "of one step", 19, color=SOFT)
    for k, (name, y, colour) in enumerate((("x", 92, REAL), ("y", 276, GREEN))):
        write(axes, 332, y - 62, f"direction of the {name}'s", 20, weight="bold")
        axes.plot([218, 446], [y, y], color=INK, lw=1.2)
        for j in range(18):
            tall = 22 * float(direction[j, k])
            axes.add_patch(Rectangle((222 + 12.4 * j, y), 9, -tall, fc=colour, zorder=3))
        word = f"magnitude {float(magnitude[k]):.2f}".replace("-", "−")
        write(axes, 332, y + 56, word, 20, color=colour)
    lengths = torch.linspace(0, 0.4, 81)
    still = torch.zeros(len(lengths), 18, 2)
    still[:, 0, 0] = lengths
    height = velocity_to_direction_magnitude(still)[1][:, 0].numpy()
    x0, x1, y0, y1 = 520, 700, 330, 80
    to_x = x0 + (x1 - x0) * lengths.numpy() / 0.4
    to_y = y0 + (y1 - y0) * (height + 1) / 5
    axes.plot(to_x, to_y, color=INK, lw=3)
    axes.plot([x0, x0, x1], [y1 - 10, y0, y0], color=GREY, lw=1.5)
    for value in (-1, 0, 1, 2, 3):
        word = str(value).replace("-", "−")
        write(axes, x0 - 20, y0 + (y1 - y0) * (value + 1) / 5, word, 19, color=SOFT)
    for value in (0, 0.2, 0.4):
        write(axes, x0 + (x1 - x0) * value / 0.4, y0 + 24, f"{value:g}", 19, color=SOFT)
    for k, colour in enumerate((REAL, GREEN)):
        n, m = float(change[:, k].norm()), float(magnitude[k])
        axes.plot([x0 + (x1 - x0) * n / 0.4], [y0 + (y1 - y0) * (m + 1) / 5], "o", ms=13,
                  color=colour, zorder=5)  # fmt: skip
    write(axes, 610, 30, "magnitude", 21, weight="bold")
    write(axes, 610, 390, "length of the velocity", 19, color=SOFT)
    save(axes, "3_velocity")


def past() -> None:
    axes = canvas(526)
    now, body = unit(film(None).video[0, :, STEP * PAST]), poses(None)
    write(axes, 150, 28, "past encoder", 21, weight="bold", ha="left")
    write(axes, 590, 28, "past decoder", 21, weight="bold")
    framed(axes, 56, 110, 88, now)
    framed(axes, 56, 216, 88, drawn(body[PAST]))
    write(axes, 56, 48, "$X_t$", 21)
    write(axes, 78, 280, "pose, drawn", 19, color=SOFT)
    axes.add_patch(Polygon([(122, 100), (196, 138), (196, 190), (122, 228)], fc=STILL, zorder=2))
    write(axes, 160, 164, "conv", 20, zorder=4)
    line(axes, (102, 124), (120, 134))
    line(axes, (102, 206), (120, 196))
    xs, y = (266, 376), 300
    line(axes, (198, 164), (xs[0], 164), (xs[0], y - 30))
    line(axes, (198, 164), (xs[1], 164), (xs[1], y - 30))
    write(axes, 286, 142, "1024 numbers", 19, color=SOFT, ha="left")
    for i, x in enumerate(xs):
        box(axes, x, y, "LSTM", colour=MASK, width=84)
        stick(axes, body[i + 1], x - 22, 436, 84, REAL, lw=3)
        write(axes, x + 28, 436, f"$Y_{i + 1}$", 21, color=REAL)
        write(axes, x - 22, 500, f"$P_{i + 1}$", 21, color=REAL)
        line(axes, (x, 386), (x, y + 32), color=REAL)
    line(axes, (xs[0] + 44, y), (xs[1] - 44, y))
    badge(axes, 472, y, "$H_t$", SOFT, 30, 22)
    line(axes, (xs[1] + 44, y), (438, y))
    line(axes, (504, y), (530, y))
    ds = (570, 666)
    for i, x in enumerate(ds):
        box(axes, x, y, "LSTM", colour=MOVING, width=76)
        write(axes, x, 400, "0", 22)
        line(axes, (x, 384), (x, y + 32))
        line(axes, (x, y - 32), (x, 216), color=MADE)
        write(axes, x, 190, f"$\\hat{{Y}}_{PAST - i}$", 22, color=MADE)
    line(axes, (ds[0] + 40, y), (ds[1] - 40, y))
    write(axes, 618, 146, "last step first", 19, color=SOFT)
    write(axes, 618, 432, "no inputs", 19, color=SOFT)
    save(axes, "3_past")


def mean_future() -> None:
    """Two futures that are equally likely, and what is best on average: a body nobody has."""
    body = poses(None)[PAST].clone()
    body[:, 2] = 1
    shoulder, elbow, wrist = (skeleton.JOINTS.index(f"right {j}") for j in
                              ("shoulder", "elbow", "wrist"))  # fmt: skip
    arm = float((body[elbow] - body[shoulder])[:2].norm() + (body[wrist] - body[elbow])[:2].norm())
    angle, futures = np.radians(60), []
    for sign in (-1, 1):
        pose = body.clone()
        way = torch.tensor([-np.cos(angle), sign * np.sin(angle)], dtype=torch.float32) * arm / 2
        pose[elbow, :2] = pose[shoulder, :2] + way
        pose[wrist, :2] = pose[elbow, :2] + way
        futures.append(pose)
    axes = canvas(380)
    shown = (*futures, (futures[0] + futures[1]) / 2)
    words = ("arm up", "arm down", "their mean")
    for x, pose, word in zip((124, 344, 596), shown, words, strict=True):
        colour = MADE if word == "their mean" else REAL
        frame = pose.clone()
        at = stick(axes, frame, x, 190, 230, GREY)
        points = at[[shoulder, elbow, wrist]]
        axes.plot(points[:, 0], points[:, 1], color=colour, lw=9, solid_capstyle="round", zorder=5)
        write(axes, x, 36, word, 21, weight="bold", color=colour)
    write(axes, 596, 350, "an arm half as long", 20, color=MADE)
    write(axes, 234, 350, "both as likely", 20, color=SOFT)
    axes.plot([470, 470], [24, 330], color=GREY, lw=1.5)
    save(axes, "3_mean_future")


def bell(axes: Axes, x: float, y: float, width: float, height: float, colour: str) -> None:
    t = np.linspace(-3, 3, 61)
    axes.fill_between(x + t * width / 6, y, y - height * np.exp(-t * t / 2), color=colour, lw=0)


def vae() -> None:
    """What is there in training, and what is left at test."""
    axes, body = canvas(676), poses("wave")
    for top, word in ((0, "in training"), (356, "at test")):
        write(axes, 20, top + 30, word, 22, weight="bold", ha="left")
        y = top + 180
        badge(axes, 52, y + 76, "$H_t$", SOFT, 30, 22)
        badge(axes, 400, y - 40, "z", PURPLE, 26)
        box(axes, 524, y + 30, "future\ndecoder", width=112, height=92, colour=MOVING)
        line(axes, (428, y - 40), (500, y - 40), (500, y - 18), color=PURPLE)
        line(axes, (84, y + 76), (420, y + 76), (420, y + 40), (466, y + 40))
        line(axes, (582, y + 30), (612, y + 30), color=MADE)
        for i in range(3):
            stick(axes, body[PAST + 1 + 2 * i], 630 + 32 * i, y + 30, 66, MADE, lw=2.4)
        write(axes, 664, y + 100, "$\\hat{Y}_{t+1:T}$", 21, color=MADE)
    axes.plot([16, 704], [350, 350], color=GREY, lw=1.5)
    y = 180
    for i in range(3):
        stick(axes, body[PAST + 1 + 2 * i], 30 + 33 * i, y - 40, 66, REAL, lw=2.4)
    write(axes, 88, y - 96, "the true future", 19, color=REAL)
    box(axes, 218, y - 40, "future\nencoder Q", width=124, height=80, colour=STILL)
    line(axes, (124, y - 40), (153, y - 40), color=REAL)
    line(axes, (218, y + 76), (218, y + 4))
    line(axes, (282, y - 40), (370, y - 40))
    write(axes, 326, y - 66, "$\\mu,\\ \\sigma$", 21)
    write(axes, 326, y - 100, "sampled", 19, color=SOFT)
    line(axes, (524, y + 122), (524, y + 80), color=REAL)
    write(axes, 524, y + 140, "the true poses", 19, color=REAL)
    y = 536
    bell(axes, 300, y - 14, 130, 58, MASK)
    write(axes, 300, y + 10, "$\\mathcal{N}(0, I)$", 21)
    line(axes, (350, y - 40), (370, y - 40))
    write(axes, 130, y - 52, "no future, no Q", 20, color=SOFT)
    line(axes, (598, y + 34), (598, y + 108), (524, y + 108), (524, y + 80), color=MADE)
    write(axes, 486, y + 118, "its own poses", 19, color=MADE, ha="right")
    save(axes, "3_vae")


def decoder() -> None:
    """Three steps of the decoder, with true poses and with its own."""
    axes, body = canvas(600), poses("wave")
    own = body.clone()
    drift = torch.linspace(0, 0.05, len(body))[:, None] * torch.tensor([1.0, 0.4])
    own[PAST:, :, :2] += (drift[:-PAST] * torch.linspace(-1, 1, 18)[:, None, None]).transpose(0, 1)
    xs = (160, 380, 600)
    for top, word, true in ((0, "training: true poses", True), (300, "test: its own", False)):
        y = top + 120
        write(axes, 20, top + 28, word, 22, weight="bold", ha="left")
        badge(axes, 50, y, "$H_t$", SOFT, 28, 22)
        line(axes, (80, y), (xs[0] - 50, y))
        for i, x in enumerate(xs):
            box(axes, x, y, "LSTM", colour=MOVING, width=92)
            line(axes, (x, y - 30), (x, y - 58), color=MADE)
            write(axes, x - 40, y - 52, f"$\\hat{{Y}}_{{t+{i + 1}}}$", 20, color=MADE)
            write(axes, x - 34, y + 54, "z", 21, color=PURPLE, weight="bold")
            line(axes, (x - 20, y + 54), (x - 8, y + 32), color=PURPLE)
            given = true or i == 0
            shown, colour = (body, REAL) if given else (own, MADE)
            stick(axes, shown[PAST + i], x + 4, y + 120, 80, colour, lw=3)
            line(axes, (x + 4, y + 68), (x + 4, y + 32), color=colour)
            when = f"t+{i}" if i else "t"
            mark = f"$P_{{{when}}}$" if given else f"$\\hat{{P}}_{{{when}}}$"
            write(axes, x + 54, y + 128, mark, 20, color=colour)
            if i:
                line(axes, (xs[i - 1] + 48, y), (x - 50, y))
            if not given:
                start = (xs[i - 1] + 4, y - 44)
                line(axes, start, (x - 108, y - 44), (x - 108, y + 104), (x - 32, y + 104),
                     color=MADE)  # fmt: skip
    save(axes, "3_decoder")


def posterior() -> None:
    """Posteriors of eight futures against the prior, with a small, a fair and a large weight."""
    random = np.random.default_rng(4)
    turn = np.arange(8) * np.pi / 4
    centres = np.stack([np.cos(turn), np.sin(turn)], 1) + random.normal(0, 0.12, (8, 2))
    panels = {
        "too cheap": (2.1 * centres, np.full((8, 2), 0.12)),
        "fair": (0.95 * centres, np.full((8, 2), 0.5)),
        "collapsed": (0.02 * centres, np.full((8, 2), 0.99)),
    }
    axes, scale = canvas(330), 40
    for x, (word, (mean, spread)) in zip((122, 360, 598), panels.items(), strict=True):
        for radius in (1, 2):
            axes.add_patch(Ellipse((x, 152), 2 * radius * scale, 2 * radius * scale, fc=MASK,
                                   alpha=0.45, ec="none"))  # fmt: skip
        for (a, b), (c, d) in zip(mean, spread, strict=True):
            axes.add_patch(Ellipse((x + a * scale, 152 + b * scale), 2 * c * scale, 2 * d * scale,
                                   fc="none", ec=MADE, lw=2.4))  # fmt: skip
        kl = gaussian_kl(torch.tensor(mean), torch.tensor(spread).log() * 2)
        nats = float(kl.reshape(8, -1).sum(1).mean())
        write(axes, x, 30, word, 21, weight="bold")
        write(axes, x, 286, f"KL {nats:.1f} nats", 20, color=SOFT)
    save(axes, "3_posterior")


def unet() -> None:
    g = PoseGenerator().to("meta").eval()
    shapes: dict[str, tuple[int, ...]] = {}
    for name, part in g.named_children():
        part.register_forward_hook(
            lambda _module, _inputs, out, name=name: shapes.update({name: tuple(out.shape[1:])})
        )
    t, h, w = g.size
    g(torch.empty(1, 3, t, h, w, device="meta"), torch.empty(1, 3, h, w, device="meta"))
    axes = canvas(700)
    ups = {"e1": "d6", "e2": "d5", "e3": "d4", "e4": "d3"}
    ys = {"e1": 222, "e2": 330, "e3": 430, "e4": 524}
    pose = drawn(poses("wave")[4])
    sheets(axes, 66, 94, 78, 16, CODE, pose)
    sheets(axes, 186, 94, 78, 16, CODE, unit(film(None).video[0, :, STEP * PAST]))
    sheets(axes, 540, 94, 78, 16, MOVING, unit(film("wave").video[0, :, 12]))
    write(axes, 128, 94, "+", 24, weight="bold")
    write(axes, 20, 26, "skeletons and first frame", 20, weight="bold", ha="left")
    write(axes, 540, 26, "the film", 20, weight="bold")
    write(axes, 250, 94, f"6\n{times((t, h, w))}", 19, ha="left", color=SOFT)
    write(axes, 600, 94, f"{shapes['d7'][0]}\n{times((t, h, w))}", 19, ha="left", color=SOFT)
    above = 94 + 39 + 13
    for down, up in ups.items():
        side = 18 + 11 * float(np.log2(shapes[down][-1] / 5))
        y = ys[down]
        count = shapes[down][1]
        for x, name, colour, at in ((126, down, CODE, 170), (540, up, MOVING, 594)):
            sheets(axes, x, y, side, count, colour)
            write(axes, at, y - 12, str(shapes[name][0]), 20, weight="bold", ha="left")
            write(axes, at, y + 13, times(shapes[name][1:]), 19, color=SOFT, ha="left")
        line(axes, (126, above), (126, y - side / 2 - 14))
        line(axes, (540, y - side / 2 - 14), (540, above), color=MADE)
        line(axes, (296, y), (486, y), color=GREEN, ls=(0, (5, 3)))
        above = y + side / 2 + 14
    y = 644
    axes.add_patch(Rectangle((336, y - 8), 16, 16, fc=PURPLE, zorder=3))
    line(axes, (126, ys["e4"] + 30), (126, y), (328, y))
    line(axes, (360, y), (540, y), (540, ys["e4"] + 30), color=MADE)
    write(axes, 344, y + 30, f"{times(shapes['e5'])}", 19, color=PURPLE)
    write(axes, 391, 196, "copied across", 19, color=GREEN)
    write(axes, 380, 150, f"{parameters(g)} weights", 20, color=SOFT)
    save(axes, "3_unet")


def halves() -> None:
    """Which films D sees: the slide's halves, and the authors' full batches."""
    axes = canvas(350)
    for top, word, both in ((0, "slide: two halves", False), (176, "code: every clip twice", True)):
        write(axes, 20, top + 30, word, 21, weight="bold", ha="left")
        for i in range(8):
            x = 44 + 50 * i
            real, made = both or i < 4, both or i >= 4
            for y, there, colour in ((top + 78, real, REAL), (top + 132, made, MADE)):
                edge = {"fc": colour, "ec": "none"} if there else {"fc": "none", "ec": GREY}
                axes.add_patch(Rectangle((x - 19, y - 19), 38, 38, **edge, zorder=3))
                write(axes, x, y, str(i + 1), 19, color=WHITE if there else GREY, zorder=4)
        write(axes, 448, top + 78, "as filmed: “real”", 20, color=REAL, ha="left")
        write(axes, 448, top + 132, "G’s version: “fake”", 20, color=MADE, ha="left")
    axes.plot([16, 704], [174, 174], color=GREY, lw=1.5)
    save(axes, "3_halves")


def best_of_n() -> None:
    """An invented forecast in two dimensions, scored with the library's function."""
    random = torch.Generator().manual_seed(0)
    cases, most = 2000, 100

    def near(count: int, spread: float) -> Tensor:
        """Two likely places, left and right; each with a spread."""
        side = torch.randint(0, 2, (cases, count, 1), generator=random) * 2.0 - 1
        middle = torch.cat([side, torch.zeros_like(side)], -1)
        return middle + spread * torch.randn(cases, count, 2, generator=random)

    truth = near(1, 0.25)[:, 0]
    rivals = {
        "the true law": (near(most, 0.25), PURPLE, "-"),
        "scattered everywhere": (1.6 * torch.randn(cases, most, 2, generator=random), MADE, "-"),
        "always the mean": (torch.zeros(cases, most, 2), INK, "--"),
    }
    axes, (x0, x1, y0, y1) = canvas(430), (84, 680, 330, 60)
    ns = np.array([1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100])
    to_x = x0 + (x1 - x0) * np.log10(ns) / 2
    top = 7
    for samples, colour, style in rivals.values():
        errors = [
            float(best_of_n_error(samples[:, :, None, None], truth[:, None, None], n=int(n)))
            for n in ns
        ]
        y = y0 + (y1 - y0) * np.array(errors) / top
        axes.plot(to_x, y, color=colour, lw=3.5, ls=style)
    axes.plot([x0, x0, x1], [y1 - 10, y0, y0], color=GREY, lw=1.5)
    for n in (1, 10, 100):
        write(axes, x0 + (x1 - x0) * np.log10(n) / 2, y0 + 26, str(n), 20, color=SOFT)
    write(axes, (x0 + x1) / 2, y0 + 64, "number of samples n", 20, color=SOFT)
    write(axes, 24, (y0 + y1) / 2, "error of the best", 20, color=SOFT, rotation=90)
    for i, (word, (_, colour, _)) in enumerate(rivals.items()):
        write(axes, 380, 60 + 34 * i, word, 21, color=colour, weight="bold", ha="left")
    for value in (0, 2, 4, 6):
        write(axes, x0 - 18, y0 + (y1 - y0) * value / top, str(value), 19, color=SOFT)
    save(axes, "3_best_of_n")


def fan() -> None:
    """The wrist's ways in the futures of twenty neighbours, as the exercise asks for them."""
    expected("3_pose_futures", "pose-solution-fan", "3_fan")


def scatter() -> None:
    """Best of n for forecasters that know something, and for some that do not."""
    expected("3_pose_futures", "pose-solution-scatter", "3_scatter")


FIGURES = {
    f.__name__: f
    for f in (
        pipeline, tracks, velocity, past, mean_future, vae, decoder, posterior, unet, halves,
        best_of_n, fan, scatter,
    )
}  # fmt: skip

if __name__ == "__main__":
    torch.set_num_threads(1)
    names: Sequence[str] = sys.argv[1:] or tuple(FIGURES)
    for chosen in names:
        FIGURES[chosen]()
