"""What the notebooks display: clips that play, filmstrips to look at, losses.

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

if TYPE_CHECKING:
    from IPython.display import HTML
    from matplotlib.figure import Figure


def _to_grid(video: Tensor, columns: int | None, gap: int) -> Tensor:
    """Lay N clips out as one film: (N, C, T, H, W) in [-1, 1] -> (T, H', W', 3) uint8."""
    if video.ndim == 4:
        video = video[None]
    if video.ndim != 5 or video.shape[1] not in (1, 3):
        raise ValueError(
            f"video: expected (N, 3, T, H, W) or (3, T, H, W), got {tuple(video.shape)}"
        )
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
        ValueError: the video has another shape.
    """
    from IPython.display import HTML

    frames = _enlarge(_to_grid(video, columns, gap), scale)
    film = base64.b64encode(encode(frames, fps=fps)).decode()
    poster = base64.b64encode(_jpeg(frames[len(frames) // 2])).decode()
    text = html.escape(label, quote=True)
    return HTML(
        f'<figure style="margin:0"><video controls loop muted playsinline preload="auto" '
        f'width="{frames.shape[2]}" style="max-width:100%;height:auto" aria-label="{text}" '
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
    """
    moments = torch.linspace(0, video.shape[2] - 1, min(frames, video.shape[2])).round().long()
    strips = video[:, :, moments].transpose(1, 2).flatten(0, 1)  # (N * frames, 3, H, W)
    sheet = _to_grid(strips[:, :, None], len(moments), 1)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(_png(_enlarge(sheet, scale)[0]))


def plot_losses(
    records: Sequence[dict[str, float]], *, names: Sequence[str] | None = None, smooth: int = 25
) -> Figure:
    """Plot named losses over the steps, each as a mean over ``smooth`` steps."""
    import matplotlib.pyplot as plt

    names = names or [name for name in records[0] if name != "step"]
    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    for name in names:
        values = torch.tensor([record[name] for record in records])
        width = max(1, min(smooth, len(values) // 4))
        means = values.unfold(0, width, 1).mean(1)
        axes.plot(range(width - 1, len(values)), means, label=name)
    axes.set(xlabel="step", ylabel=f"loss (mean of {smooth} steps)")
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
    """
    import matplotlib.pyplot as plt

    moments = torch.linspace(0, video.shape[2] - 1, min(frames, video.shape[2])).round().long()
    figure, rows = plt.subplots(
        len(video), 1, figsize=(size * len(moments), size * len(video)), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for i, axes in enumerate(rows[:, 0]):
        strip: Any = _to_grid(video[i, :, moments].transpose(0, 1)[:, :, None], len(moments), 1)
        axes.imshow(strip[0].numpy(), interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        if titles:
            axes.set_ylabel(titles[i], rotation=0, ha="right", va="center")
    plt.close(figure)
    return figure
