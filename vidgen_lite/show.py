"""What the notebooks display: clips that play, filmstrips, losses, and pages to leaf through.

Clips become short H.264 films inside the notebook itself, so that they play on the book's pages,
on Colab and in a file that was sent by mail.
"""

from __future__ import annotations

import base64
import html
import io
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vidgen_lite.checks import expect_positive

if TYPE_CHECKING:
    from IPython.display import HTML
    from matplotlib.figure import Figure


BAR = 76  # pixels that the controls of a browser's player take
COLUMN = 700  # pixels across a page's column of text, to which a wider film is shrunk


def _expect_video(video: Any) -> None:
    """One clip or several, of floats; one channel passes for grey."""
    if not isinstance(video, Tensor) or not video.is_floating_point():
        kind = video.dtype if isinstance(video, Tensor) else type(video).__name__
        raise TypeError(f"video: expected a floating-point torch.Tensor in [-1, 1], got {kind}")
    shape = tuple(video.shape)
    if len(shape) not in (4, 5) or shape[-4] not in (1, 3) or 0 in shape:
        raise ValueError(f"video: expected (N, 3, T, H, W) or (3, T, H, W), got {shape}")


def _to_grid(video: Tensor, columns: int | None, gap: int) -> Tensor:
    """Lay N clips out as one film: (N, C, T, H, W) in [-1, 1] -> (T, H', W', 3) uint8."""
    _expect_video(video)
    if columns is not None:
        expect_positive("columns", columns)
    if video.ndim == 4:
        video = video[None]
    video = video.detach().float().cpu().clamp(-1, 1)
    video = video.expand(-1, 3, -1, -1, -1)
    n, _, t, h, w = video.shape
    columns = columns or min(n, 8)
    rows = math.ceil(n / columns)
    grid = torch.ones(t, 3, rows * (h + gap) - gap, columns * (w + gap) - gap)
    for i in range(n):
        y, x = (i // columns) * (h + gap), (i % columns) * (w + gap)
        grid[:, :, y : y + h, x : x + w] = video[i].transpose(0, 1)  # (T, 3, H, W)
    return ((grid + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)


def _enlarge(frames: Tensor, scale: int) -> Tensor:
    expect_positive("scale", scale)
    return frames.repeat_interleave(scale, dim=1).repeat_interleave(scale, dim=2)


def _png(image: Tensor) -> bytes:
    import imageio.v3 as iio

    return iio.imwrite("<bytes>", image.numpy(), extension=".png")


def encode(frames: Tensor, *, fps: float) -> bytes:
    """Encode (T, H, W, 3) uint8 frames as an H.264 film that browsers play."""
    import imageio.v2 as iio

    # 4:2:0 colour needs even sides: repeat the last row or column where a side is odd.
    if frames.shape[1] % 2:
        frames = torch.cat([frames, frames[:, -1:]], dim=1)
    if frames.shape[2] % 2:
        frames = torch.cat([frames, frames[:, :, -1:]], dim=2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        writer: Any = iio.get_writer(
            path, fps=fps, codec="libx264", macro_block_size=1, pixelformat="yuv420p",
            output_params=["-crf", "23", "-preset", "slow", "-movflags", "+faststart"],
        )  # fmt: skip
        with writer:
            for frame in frames.numpy():
                writer.append_data(frame)
        return path.read_bytes()


def clip(
    video: Tensor,
    *,
    label: str,
    fps: float = 16,
    scale: int = 4,
    columns: int | None = None,
    gap: int = 2,
) -> HTML:
    """Show one clip, or several side by side, as a film with controls.

    Args:
        video: (3, T, H, W) or (N, 3, T, H, W), in [-1, 1]; one channel is shown as grey.
        label: says what is to be seen, for those who can't see it and as the caption.
        fps: frames a second.
        scale: each pixel becomes scale x scale.
        columns: clips in a row, 8 at most unless told.
        gap: white pixels between clips.

    Raises:
        TypeError: the video is no tensor, or one of whole numbers.
        ValueError: the video has another shape, or scale or columns is below 1.
    """
    from IPython.display import HTML

    frames = _enlarge(_to_grid(video, columns, gap), scale)
    film = base64.b64encode(encode(frames, fps=fps)).decode()
    poster = base64.b64encode(_jpeg(frames[len(frames) // 2])).decode()
    text = html.escape(label, quote=True)
    height, width = frames.shape[1:3]
    # A strip below the film for the controls, which would cover a film of one row.
    strip = math.ceil(BAR * max(1, width / COLUMN))
    return HTML(
        f'<figure style="margin:0"><video controls loop muted playsinline preload="auto" '
        f'width="{width}" aria-label="{text}" style="max-width:100%;height:auto;'
        f"min-height:{2 * BAR}px;aspect-ratio:{width}/{height + strip};"
        f'object-fit:contain;object-position:top" '
        f'poster="data:image/jpeg;base64,{poster}">'
        f'<source type="video/mp4" src="data:video/mp4;base64,{film}">{text}</video>'
        f"<figcaption>{text}</figcaption></figure>"
    )


def write_film(
    path: str | Path, video: Tensor, *, fps: float = 16, scale: int = 4, columns: int | None = None
) -> None:
    """Write one clip (3, T, H, W), or several side by side (N, 3, T, H, W), as an H.264 file."""
    Path(path).write_bytes(encode(_enlarge(_to_grid(video, columns, 2), scale), fps=fps))


def _jpeg(image: Tensor) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image.numpy()).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def contact_sheet(path: str | Path, video: Tensor, *, frames: int = 8, scale: int = 3) -> None:
    """Write a PNG with one row a clip and ``frames`` moments a row, to look at a run.

    Args:
        path: where the PNG goes.
        video: (N, 3, T, H, W) in [-1, 1].
        frames: how many moments, evenly spread over the clip.
        scale: each pixel becomes scale x scale.

    Raises:
        TypeError: the video is no tensor, or one of whole numbers.
        ValueError: the video has another shape, or frames or scale is below 1.
    """
    moments = _moments(video, frames)  # (N, moments, 3, H, W)
    sheet = _to_grid(moments.flatten(0, 1)[:, :, None], moments.shape[1], 1)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(_png(_enlarge(sheet, scale)[0]))


def _moments(video: Tensor, frames: int) -> Tensor:
    """Pick still moments, evenly spread over the clip: (N, 3, T, H, W) -> (N, frames, 3, H, W)."""
    _expect_video(video)
    expect_positive("frames", frames)
    if video.ndim != 5:
        raise ValueError(f"video: expected (N, 3, T, H, W), got {tuple(video.shape)}")
    times = torch.linspace(0, video.shape[2] - 1, min(frames, video.shape[2])).round().long()
    return video[:, :, times].transpose(1, 2)


def plot_losses(
    records: Sequence[dict[str, float]], *, names: Sequence[str] | None = None, smooth: int = 25
) -> Figure:
    """Plot named losses over the steps, each as a mean over ``smooth`` steps.

    A short run, of less than four times as many steps, is smoothed over a quarter of it.

    Raises:
        ValueError: there is no record.
    """
    import matplotlib.pyplot as plt

    if not records:
        raise ValueError("records: expected at least one, got none")
    width = max(1, min(smooth, len(records) // 4))
    names = names or [name for name in records[0] if name != "step"]
    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    for name in names:
        values = torch.tensor([record[name] for record in records])
        means = values.unfold(0, width, 1).mean(1)
        axes.plot(range(width - 1, len(values)), means, label=name)
    axes.set(xlabel="step", ylabel=f"loss (mean of {width} steps)")
    axes.legend()
    axes.grid(alpha=0.3)
    plt.close(figure)
    return figure


def filmstrip(
    video: Tensor, *, titles: Sequence[str] | None = None, frames: int = 8, size: float = 1.1
) -> Figure:
    """Draw clips as rows of still moments, with a title a row.

    Args:
        video: (N, 3, T, H, W) in [-1, 1].
        titles: one a row.
        frames: how many moments of each clip.
        size: inches a moment.

    Raises:
        TypeError: the video is no tensor, or one of whole numbers.
        ValueError: the video has another shape, frames is below 1, or there are not as many titles
            as clips.
    """
    import matplotlib.pyplot as plt

    moments = _moments(video, frames)  # (N, moments, 3, H, W)
    n, columns = moments.shape[:2]
    if titles is not None and len(titles) != n:
        raise ValueError(f"titles: expected {n}, got {len(titles)}")
    figure, rows = plt.subplots(
        n, 1, figsize=(size * columns, size * n), layout="constrained", squeeze=False
    )
    for i, axes in enumerate(rows[:, 0]):
        strip = _to_grid(moments[i][:, :, None], columns, 1)
        axes.imshow(strip[0].numpy(), interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        if titles:
            axes.set_ylabel(titles[i], rotation=0, ha="right", va="center")
    plt.close(figure)
    return figure


def flipbook(figures: Sequence[Figure], titles: Sequence[str], *, label: str) -> Any:
    """Bind figures to a slider: a widget that works without a kernel, and on ipywidgets 7.7 and 8.

    The slider is linked to the pages in the browser itself, so it stays alive on the book's pages.
    The last page is open at first.

    Args:
        figures: the pages, all of one size.
        titles: a short title for each.
        label: what the slider moves through.

    Raises:
        ValueError: no figures, or not as many titles.
    """
    import ipywidgets
    import matplotlib.pyplot as plt
    from PIL import Image

    if not figures or len(figures) != len(titles):
        raise ValueError(f"titles: expected {len(figures)} for as many figures, got {len(titles)}")
    pages = []
    for figure in figures:
        drawn, small = io.BytesIO(), io.BytesIO()
        figure.savefig(drawn, format="png", dpi=90)
        Image.open(drawn).convert("RGB").quantize(128).save(small, "PNG", optimize=True)
        pages.append(ipywidgets.Image(value=small.getvalue(), format="png"))
        plt.close(figure)
    last = len(pages) - 1
    book = ipywidgets.Tab(children=pages, selected_index=last)
    for i, title in enumerate(titles):
        book.set_title(i, title)
    slider = ipywidgets.IntSlider(last, 0, last, description=label, readout=False)
    play = ipywidgets.Play(value=last, min=0, max=last, interval=700)
    ipywidgets.jslink((play, "value"), (slider, "value"))
    ipywidgets.jslink((slider, "value"), (book, "selected_index"))
    return ipywidgets.VBox([ipywidgets.HBox([play, slider]), book])
