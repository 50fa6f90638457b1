"""Draw the figures of the closing chapter.

    python book/figures/make_open_questions.py [NAME ...]

Bodies and films are puppets. What is said of marks is measured: a film that the library has marked
is copied, compressed, shrunk and cut by ffmpeg, and then looked at again. The same library and the
same ffmpeg give the same files, byte for byte.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import drawing
import imageio_ffmpeg
import torch
import torch.nn.functional as F
from drawing import (
    CODE,
    GREEN,
    GREY,
    INK,
    MADE,
    PURPLE,
    REAL,
    SOFT,
    WHITE,
    arrow,
    canvas,
    drawn,
    framed,
    line,
    picture,
    save,
    unit,
    write,
)  # fmt: skip
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle
from torch import Tensor

from vidgen_lite.data.actions import act
from vidgen_lite.data.provenance import TOLD, burn_mark, read_metadata, write_generated
from vidgen_lite.data.puppets import CAST, FPS, SCENES, PuppetClips, make_clips
from vidgen_lite.data.video_files import read_video, write_video
from vidgen_lite.skeleton import JOINTS

drawing.chapter("open_questions")

TOLD_BY = {"nothing": SOFT, "noise": MADE, "you": REAL}  # who says which future it will be
FUTURES = (("jump", 9), ("squat", 15), ("dance", 8))
SMALL, SIDE = 64, 256  # pixels of the puppets in drawings, and of the marked film


# Puppets


@functools.cache
def film(action: str, who: int = 0) -> PuppetClips:
    motion = act(action, frames=24, fps=FPS, generator=torch.Generator().manual_seed(5))
    return make_clips(1, seed=3, frames=24, size=SMALL, puppets=[CAST[who]], scenes=[SCENES[0]],
                      motions=[motion])  # fmt: skip


def frame(action: str, t: int, who: int = 0) -> Tensor:
    return unit(film(action, who).video[0, :, t])


def skeleton_of(action: str, t: int) -> Tensor:
    return drawn(film(action).pose[0, t] * torch.tensor([1 / SMALL, 1 / SMALL, 1.0]))


def image() -> Tensor:
    """The single image: someone stands, and nothing says what comes next."""
    return frame("squat", 6)


# Many answers to one image


def panel(axes: Axes, place: int, title: str, who: str, words: str) -> tuple[float, float]:
    """A card with a title and who decides; returns the middle of the room for its drawing."""
    row, column = divmod(place, 3)
    left, top, width, height = 8 + 236 * column, 8 + 246 * row, 232, 236
    axes.add_patch(FancyBboxPatch((left, top), width, height, fc=WHITE, ec="none", zorder=0,
                                  boxstyle="round,pad=0,rounding_size=14"))  # fmt: skip
    x = left + width / 2
    write(axes, x, top + 24, title, 21, weight="bold")
    write(axes, x, top + 212, words, 19, color=TOLD_BY[who], weight="bold")
    return x, top + 116


def fan(axes: Axes, x: float, y: float, pictures: list[Tensor]) -> None:
    """One image on the left, what it may become on the right."""
    framed(axes, x - 66, y, 76, image())
    for i, one in enumerate(pictures):
        there = y + 48 * (i - (len(pictures) - 1) / 2)
        line(axes, (x - 24, y), (x + 22, there), lw=1.8)
        framed(axes, x + 50, there, 44, one)


def one_answer(axes: Axes, x: float, y: float) -> None:
    mean = torch.stack([frame(action, t) for action, t in FUTURES]).mean(0)
    framed(axes, x - 58, y, 92, image())
    line(axes, (x - 10, y), (x + 12, y), lw=2)
    framed(axes, x + 60, y, 92, mean)


def loop(axes: Axes, x: float, y: float) -> None:
    """Water with one arrow a place, the same for ever."""
    axes.add_patch(Rectangle((x - 96, y - 50), 120, 100, fc="#a9cbe4", ec="none", zorder=1))
    for row in range(4):
        for column in range(4):
            at = x - 84 + 29 * column, y - 40 + 26 * row
            arrow(axes, at, (at[0] + 19, at[1] + 4 * (column - 1.5)), color=REAL, lw=1.8)
    axes.add_patch(Circle((x + 68, y), 30, fc="none", ec=GREY, lw=3, ls=(0, (5, 2))))
    arrow(axes, (x + 97, y - 4), (x + 97, y + 9))
    write(axes, x + 68, y, "∞", 24, color=SOFT)


def own_patches(axes: Axes, x: float, y: float) -> None:
    """A picture, and one made anew of its patches."""
    picture(axes, x - 58, y, 92, image())
    moved = image().clone()
    for row, column, down, right in (
        (0, 0, 2, 30),
        (2, 34, 0, 0),
        (44, 6, 43, 40),
        (40, 46, 46, 2),
    ):
        patch = image()[:, row : row + 17, column : column + 17]
        moved[:, down : down + 17, right : right + 17] = patch
    line(axes, (x - 10, y), (x + 12, y), lw=2)
    picture(axes, x + 60, y, 92, moved)
    for step in range(1, 4):
        for middle in (x - 58, x + 60):
            at = 23 * step - 46
            axes.plot([middle + at, middle + at], [y - 46, y + 46], color=WHITE, lw=1, zorder=4)
            axes.plot([middle - 46, middle + 46], [y + at, y + at], color=WHITE, lw=1, zorder=4)


def tracks(axes: Axes, x: float, y: float) -> None:
    """Where joints go, drawn on the picture that they start from."""
    framed(axes, x, y, 130, frame("dance", 6))
    scale = 130 / SMALL
    places = film("dance").pose[0, 6:13, :, :2] * scale
    corner = torch.tensor([x - 65, y - 65])
    for joint in ("left wrist", "right wrist", "nose", "left knee", "right ankle"):
        path = (places[:, JOINTS.index(joint)] + corner).numpy()
        axes.plot(path[:, 0], path[:, 1], color=WHITE, lw=5, zorder=5)
        axes.plot(path[:, 0], path[:, 1], color=MADE, lw=2.6, zorder=6)
        axes.plot(path[-1:, 0], path[-1:, 1], "o", color=MADE, ms=6, zorder=7)


def kernels(axes: Axes, x: float, y: float) -> None:
    """Small kernels whose weight lies off the middle: each shifts what it is applied to."""
    framed(axes, x - 66, y, 84, image())
    write(axes, x - 6, y, "∗", 30)
    for i, (row, column) in enumerate(((1, 3), (3, 1), (2, 4))):
        top, left = y - 76 + 52 * i, x + 34
        for a in range(5):
            for b in range(5):
                near = (a - row) ** 2 + (b - column) ** 2
                colour = (MADE, "#eeb08f", CODE)[min(near, 2)]
                at = left + 9.4 * b, top + 9.4 * a
                axes.add_patch(Rectangle(at, 9.4, 9.4, fc=colour, ec=WHITE, lw=0.7))


def denoised(axes: Axes, x: float, y: float) -> None:
    noise = torch.rand(3, SMALL, SMALL, generator=torch.Generator().manual_seed(0))
    for row, (action, t) in enumerate(FUTURES[:2]):
        there = y - 42 + 66 * row
        for i, share in enumerate((0.0, 0.45, 1.0)):
            mixed = share * frame(action, t) + (1 - share) * noise
            framed(axes, x - 74 + 74 * i, there, 56, mixed)
            if i:
                line(axes, (x - 118 + 74 * i, there), (x - 104 + 74 * i, there), lw=1.4)
    write(axes, x, y + 68, "“… jumps”   “… sits”", 19, color=SOFT)


def imagined_poses(axes: Axes, x: float, y: float) -> None:
    framed(axes, x - 76, y, 64, image())
    for i, (action, t) in enumerate(FUTURES):
        there = y - 56 + 54 * i
        line(axes, (x - 42, y), (x - 14, there), lw=1.6)
        framed(axes, x + 12, there, 48, skeleton_of(action, t))
        line(axes, (x + 38, there), (x + 52, there), lw=1.4)
        framed(axes, x + 80, there, 48, frame(action, t))


def borrowed(axes: Axes, x: float, y: float, source: Callable[[str, int], Tensor],
             points: bool) -> None:  # fmt: skip
    """What moves the picture, above; what the picture becomes, below."""
    framed(axes, x - 74, y + 38, 64, image())
    for i, t in enumerate((3, 8)):
        at = x + 10 + 66 * i
        framed(axes, at, y - 40, 60, source("dance", t))
        framed(axes, at, y + 38, 60, frame("dance", t))
        line(axes, (at, y - 8), (at, y + 4), lw=1.4)
        if points:
            pose = film("dance", 5).pose[0, t, :, :2] * 60 / SMALL
            for joint in ("nose", "left wrist", "right wrist", "left ankle", "right ankle"):
                px, py = (pose[JOINTS.index(joint)] + torch.tensor([at - 30, y - 70])).tolist()
                axes.plot([px], [py], "o", color=REAL, ms=6, mec=WHITE, zorder=6)
    line(axes, (x - 40, y + 38), (x - 24, y + 38), lw=1.4)


def futures() -> None:
    """Nine ways from one image to a film, by who decides among the futures."""
    axes = canvas(788)
    cards: tuple[tuple[str, str, str, Callable[[Axes, float, float], None]], ...] = (
        ("one answer", "nothing", "nothing: a mean", one_answer),
        ("motion field", "nothing", "nothing: a loop", loop),
        ("its own patches", "noise", "noise", own_patches),
        ("tracks, flow", "noise", "noise: the paths", tracks),
        ("kernels", "noise", "noise: the shifts", kernels),
        ("noise, then poses", "noise", "noise: the poses", imagined_poses),
        ("video diffusion", "noise", "noise, and words", denoised),
        ("driving video", "you", "you: a film",
         lambda *at: borrowed(*at, lambda action, t: frame(action, t, 5), True)),
        ("pose sequence", "you", "you: poses", lambda *at: borrowed(*at, skeleton_of, False)),
    )  # fmt: skip
    for place, (title, who, words, draw) in enumerate(cards):
        draw(axes, *panel(axes, place, title, who, words))
    write(axes, 12, 764, "Who says which future?", 20, ha="left", weight="bold")
    for x, (who, colour) in zip((300, 430, 530), TOLD_BY.items(), strict=True):
        axes.add_patch(Circle((x, 764), 8, fc=colour, ec="none"))
        write(axes, x + 16, 764, who, 20, ha="left", color=colour, weight="bold")
    save(axes, "open_futures")


# Where the field went

KINDS = {"lecture": INK, "GAN": MADE, "VAE": GREEN, "diffusion": REAL, "critique": PURPLE}
EVENTS = (
    (2014, "lecture", "GAN: the objective of lecture 1"),
    (2014, "VAE", "variational autoencoder"),
    (2016, "lecture", "lecture 2: VGAN"),
    (2016, "VAE", "Visual Dynamics; An Uncertain Future"),
    (2017, "lecture", "lecture 3: The Pose Knows"),
    (2018, "GAN", "MoCoGAN; vid2vid"),
    (2019, "lecture", "lecture 4: Everybody Dance Now"),
    (2019, "GAN", "BigGAN; DVD-GAN; first-order motion; SinGAN"),
    (2019, "critique", "the seven open questions"),
    (2020, "diffusion", "denoising diffusion"),
    (2020, "critique", "“easy to spot … for now”"),
    (2021, "diffusion", "diffusion beats GANs on images"),
    (2022, "diffusion", "latent diffusion; video diffusion"),
    (2022, "GAN", "StyleGAN-V: films from sparse frames"),
    (2023, "diffusion", "Video LDM; Stable Video Diffusion"),
    (2023, "diffusion", "Animate Anyone: one photo and poses"),
    (2023, "critique", "metrics against people; universal detectors"),
    (2024, "GAN", "R3GAN: a modern baseline"),
    (2024, "critique", "the bias of the Fréchet video distance"),
    (2025, "diffusion", "CogVideoX; Self Forcing; Wan-Animate"),
    (2025, "GAN", "one-step video by adversarial training"),
    (2026, "critique", "a survey: diffusion leads"),
)


def timeline() -> None:
    """Year by year, with what kind of work it was."""
    step, top = 34, 66
    axes = canvas(top + step * len(EVENTS) + 12)
    for x, (kind, colour) in zip((118, 250, 346, 440, 582), KINDS.items(), strict=True):
        axes.add_patch(Circle((x, 26), 9, fc=colour, ec="none"))
        write(axes, x + 16, 26, kind, 19, ha="left", color=colour, weight="bold")
    bottom = top + step * (len(EVENTS) - 1) + 8
    axes.plot([104, 104], [top - 12, bottom], color=GREY, lw=2.4, zorder=1)
    shown = 0
    for i, (year, kind, words) in enumerate(EVENTS):
        y, colour = top + step * i, KINDS[kind]
        if year != shown:
            write(axes, 82, y, str(year), 20, ha="right", color=SOFT)
            shown = year
        axes.add_patch(Circle((104, y), 9, fc=colour, ec=WHITE, lw=2, zorder=3))
        write(axes, 126, y, words, 20, ha="left", color=colour,
              weight="bold" if kind == "lecture" else "normal")  # fmt: skip
    save(axes, "open_timeline")


# What a mark survives


def treatments(marked: Path) -> Iterator[tuple[str, Path]]:
    """The marked film as it left us, and what others may make of it."""
    yield "as written", marked
    ffmpeg = {
        "encoded again": [],
        "encoded hard": ["-crf", "40"],
        "half the size": ["-vf", f"scale={SIDE // 2}:-2"],
        "words dropped": ["-c", "copy", "-map_metadata", "-1"],
    }
    for name, options in ffmpeg.items():
        yield name, treated(marked, f"{name}.mp4", *options)
    again = marked.with_name("again.mp4")
    write_video(again, read_video(marked), fps=FPS)
    yield "read and rewritten", again
    yield "one frame, as a picture", treated(marked, "frame.png", "-frames:v", "1")
    yield "cut off below, by an eighth", treated(marked, "cut.mp4", "-vf", "crop=iw:ih*7/8:0:0")


def treated(film_file: Path, name: str, *options: str) -> Path:
    out = film_file.with_name(name)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", str(film_file)]
    subprocess.run([*command, *options, "-threads", "1", str(out)], check=True)
    return out


def contrast(frames: Tensor) -> float:
    """How much brighter the mark's letters are than their plate, where the mark should be."""
    letters = burn_mark(torch.zeros(SIDE, SIDE, 3, dtype=torch.uint8))[..., 0] == 255
    rows, columns = letters.nonzero().unbind(1)
    plate = torch.zeros_like(letters)
    plate[rows.amin() : rows.amax() + 1, columns.amin() : columns.amax() + 1] = True
    light = F.interpolate(frames.float().mean(-1)[:, None], size=(SIDE, SIDE), mode="bilinear")
    return float(light[:, 0, letters].mean() - light[:, 0, plate & ~letters].mean())


def marks() -> None:
    """A marked film is treated in eight ways; what is left of mark and words."""
    clip = make_clips(1, seed=3, frames=32, size=SIDE, puppets=[CAST[0]], scenes=[SCENES[0]])
    frames = (clip.video[0].permute(1, 2, 3, 0) * 127.5 + 127.5).round().to(torch.uint8)
    step, top = 78, 72
    axes = canvas(top + 8 * step + 8)
    for x, words in ((390, "mark"), (640, "words")):
        write(axes, x, 26, words, 21, weight="bold")
    write(axes, 390, 54, "lower right corner", 19, color=SOFT)
    write(axes, 640, 54, "in the file", 19, color=SOFT)
    with tempfile.TemporaryDirectory() as folder:
        marked = Path(folder) / "marked.mp4"
        write_generated(marked, frames, fps=FPS)
        whole = contrast(read_video(marked))
        for i, (name, path) in enumerate(treatments(marked)):
            y, seen = top + 40 + step * i, read_video(path)
            share = round(100 * contrast(seen) / whole)
            kept = TOLD in read_metadata(path).values()
            print(f"{name}: mark {share} %, words {'kept' if kept else 'gone'}")
            height, width = seen.shape[1:3]
            corner = seen[0, height - height // 8 :, width - width * 3 // 8 :]
            low = corner.permute(2, 0, 1).float() / 255
            first, *rest = name.split(", ")
            write(axes, 12, y - 12 if rest else y, first, 20, ha="left", weight="bold")
            for words in rest:
                write(axes, 12, y + 14, words, 20, ha="left", weight="bold")
            wide(axes, 350, y, low)
            write(axes, 524, y, f"{share} %", 20, color=REAL if share > 50 else MADE)
            write(axes, 640, y, "kept" if kept else "gone", 20, weight="bold",
                  color=REAL if kept else MADE)  # fmt: skip
    save(axes, "open_marks")


def wide(axes: Axes, x: float, y: float, pixels: Tensor) -> None:
    """A strip three times as wide as high."""
    width, height = 198, 66
    limits = axes.get_xlim(), axes.get_ylim()
    extent = (x - width / 2, x + width / 2, y + height / 2, y - height / 2)
    axes.imshow(pixels.permute(1, 2, 0).numpy(), extent=extent, interpolation="none",
                aspect="auto", zorder=3)  # fmt: skip
    axes.set(xlim=limits[0], ylim=limits[1])


FIGURES = {f.__name__: f for f in (futures, timeline, marks)}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[1:] or FIGURES:
        FIGURES[chosen]()
