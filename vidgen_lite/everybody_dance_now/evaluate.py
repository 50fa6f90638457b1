"""How good is a painted dance, held against the true film of the same moments?

Four kinds of numbers: pixels (``ssim``), what a trained network sees (``perceptual_distance``),
poses read back from the painted film (``read_joints``), and time (``flicker``, ``change_error``).
None of them replaces watching the films: ``tables`` puts them side by side.

Films are (N, 3, T, H, W) and frames (B, 3, H, W), in [-1, 1]; poses end in (18, 3): x, y in pixels
and confidence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vidgen_lite.checks import expect_number, expect_positive, expect_shape
from vidgen_lite.keypoints import SCALE, KeypointNetwork, soft_argmax
from vidgen_lite.skeleton import JOINTS, SEEN
from vidgen_lite.training import to_float

WINDOW, SIGMA = 11, 1.5  # of SSIM, in pixels; its range is 2, from -1 to 1
PEAK = 0.5  # a joint is found if so much of its heat-map lies in one spot
SPOT = 5  # side of that spot in pixels of the heat-map

Measure = Callable[[Tensor, Tensor], Tensor]  # frames and frames, (B, 3, H, W): a number each


# Frames against frames


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity (Wang et al., 2004): means, variances and covariance in small windows.

    ((2 m_a m_b + C_1) (2 s_ab + C_2)) / ((m_a² + m_b² + C_1) (s_a² + s_b² + C_2)), under a Gaussian
    window of 11 x 11 pixels with sigma 1.5; C_1 = (0.01 · 2)² and C_2 = (0.03 · 2)². The mean is
    taken over the colours and over all windows that lie inside the frame.

    Args:
        a, b: frames, (B, C, H, W) in [-1, 1].

    Returns:
        (B,), 1 where both are the same, at least -1.

    Raises:
        ValueError: other shapes, or a side below 11.
    """
    sizes = expect_shape("a", a, "B C H W")
    expect_shape("b", b, " ".join(map(str, a.shape)))
    if min(sizes["H"], sizes["W"]) < WINDOW:
        raise ValueError(f"a: expected sides of at least {WINDOW} pixels, got {tuple(a.shape)}")
    # In double precision: a variance is a small difference of two large numbers.
    x, y = a.double(), b.double()
    mean_x, mean_y, xx, yy, xy = _windows(torch.stack([x, y, x * x, y * y, x * y]))
    variance_x, variance_y = xx - mean_x**2, yy - mean_y**2
    covariance = xy - mean_x * mean_y
    c_1, c_2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    likeness = (2 * mean_x * mean_y + c_1) * (2 * covariance + c_2)
    likeness = likeness / ((mean_x**2 + mean_y**2 + c_1) * (variance_x + variance_y + c_2))
    return likeness.mean((1, 2, 3)).to(a.dtype)


def _windows(images: Tensor) -> Tensor:
    """The Gaussian mean round each pixel that is five away from every edge: (…, H - 10, W - 10)."""
    away = torch.arange(WINDOW, dtype=images.dtype, device=images.device) - WINDOW // 2
    kernel = torch.exp(-0.5 * (away / SIGMA) ** 2)
    kernel = kernel / kernel.sum()
    flat = images.reshape(-1, 1, *images.shape[-2:])
    flat = F.conv2d(F.conv2d(flat, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return flat.view(*images.shape[:-2], *flat.shape[-2:])


@torch.no_grad()
def perceptual_distance(features: Any, a: Tensor, b: Tensor) -> Tensor:
    """How differently a trained network sees two frames: :func:`.perceptual_loss` per frame.

    A model that was trained on these features has learned to please them: judge it by others.

    Args:
        features: a network from ``perceptual``.
        a, b: frames, (B, 3, H, W) in [-1, 1].

    Returns:
        (B,), 0 where the network sees no difference. There is no upper end, and numbers from two
        networks can't be compared.

    Raises:
        ValueError: other shapes.
    """
    expect_shape("a", a, "B 3 H W")
    expect_shape("b", b, " ".join(map(str, a.shape)))
    levels = [
        weight * (one - other).abs().flatten(1).mean(1)
        for weight, one, other in zip(features.weights, features(a), features(b), strict=True)
    ]
    return torch.stack(levels).sum(0)


def over_boxes(measure: Measure, a: Tensor, b: Tensor, boxes: Tensor, there: Tensor) -> float:
    """Compare two films inside a box of each frame, the same box in both.

    Args:
        measure: e.g. :func:`ssim`.
        a, b: films, (N, 3, T, H, W).
        boxes: (N, T, 4) whole pixels x0, y0, x1, y1, from :func:`body_boxes` or ``face_boxes``.
        there: (N, T) bool, which frames have a box.

    Returns:
        The mean over the frames that have one; NaN if none has.

    Raises:
        ValueError: shapes that do not fit each other.
    """
    n, t = (expect_shape("a", a, "N 3 T H W")[axis] for axis in "NT")
    expect_shape("b", b, " ".join(map(str, a.shape)))
    expect_shape("boxes", boxes, f"{n} {t} 4")
    expect_shape("there", there, f"{n} {t}")
    found = []
    for i, k in there.nonzero().tolist():
        x0, y0, x1, y1 = boxes[i, k].tolist()
        one, other = (film[i : i + 1, :, k, y0:y1, x0:x1] for film in (a, b))
        found.append(measure(one, other))
    return torch.cat(found).mean().item() if found else float("nan")


def body_boxes(
    poses: Tensor, *, height: int, width: int, margin: float = 0.15, least: int = 16
) -> tuple[Tensor, Tensor]:
    """The smallest box round the joints of each frame, with room on every side.

    Joints outside the frame do not count: somebody who has left it has no box.

    Args:
        poses: (…, 18, 3).
        height, width: of the frames in pixels.
        margin: room on each side, as a share of the box's longer side; joints end at the ears,
            wrists and ankles.
        least: shortest side of a box in pixels.

    Returns:
        Boxes (…, 4), int64: x0, y0, x1, y1 in whole pixels, x1 and y1 excluded, inside the frame;
        zeros where there is none. And (…), bool: whether there is one.

    Raises:
        ValueError: another shape, a negative margin, or a frame smaller than ``least``.
    """
    seen = expect_poses("poses", poses)
    expect_number("margin", margin, at_least=0)
    expect_positive("least", least)
    if least > min(height, width):
        raise ValueError(f"least: expected at most {min(height, width)} pixels, got {least}")
    frame = poses.new_tensor([width, height])
    places = poses[..., :2].nan_to_num()
    seen = seen & ((places >= 0) & (places <= frame)).all(-1)
    there = seen.any(-1)
    low = places.masked_fill(~seen[..., None], torch.inf).amin(-2)
    high = places.masked_fill(~seen[..., None], -torch.inf).amax(-2)
    low, high = (torch.where(there[..., None], end, 0.0) for end in (low, high))
    room = margin * (high - low).amax(-1, keepdim=True)
    half = ((high - low) / 2 + room).clamp(min=least / 2)
    middle = (low + high) / 2
    first = (middle - half).floor().clamp(min=0).minimum(frame - least)
    last = (middle + half).ceil().minimum(frame).maximum(first + least)
    return torch.cat([first, last], -1).long() * there[..., None], there


# Poses read back


@torch.no_grad()
def read_joints(reader: KeypointNetwork, video: Tensor) -> tuple[Tensor, Tensor]:
    """Find the joints in every frame of films, and say which were really found.

    The reader always names a place: the mean under the joint's heat-map. It counts as found if
    half of the map or more lies in one spot of 5 x 5 of its pixels: of a spot as it was taught,
    97 % does. Of a map that wavers between two places no spot has half, and their mean is neither
    of them; one that knows nothing is spread over all the frame.

    Args:
        reader: one that had no part in training the model that painted these.
        video: (N, 3, T, H, W), float in [-1, 1] or uint8; sides that are multiples of 8.

    Returns:
        Places (N, T, 18, 2) in pixels of the frame, and (N, T, 18) bool.

    Raises:
        ValueError: another shape.
    """
    n, t = (expect_shape("video", video, "N 3 T H W")[axis] for axis in "NT")
    device = next(reader.parameters()).device
    training = reader.training
    reader.eval()
    places, found = [], []
    for part in video.transpose(1, 2).flatten(0, 1).split(256):  # (N T, 3, H, W)
        maps = reader.heatmaps(to_float(part).to(device))
        spots = F.avg_pool2d(maps, SPOT, stride=1, padding=SPOT // 2) * SPOT**2
        places.append(soft_argmax(maps, scale=SCALE).cpu())
        found.append((spots.amax((-2, -1)) >= PEAK).cpu())
    reader.train(training)
    return torch.cat(places).view(n, t, -1, 2), torch.cat(found).view(n, t, -1)


def pose_distance(places: Tensor, poses: Tensor, found: Tensor | None = None) -> Tensor:
    """The mean distance of the joints found from where they should be, one number a frame.

    As in the paper, a joint that was missed has no distance; so read it beside
    :func:`missed_joints`: a model whose hard joints are not found looks better here.

    Args:
        places: (…, 18, 2) in pixels.
        poses: the truth, (…, 18, 3). Joints below a confidence of 0.1 do not count.
        found: (…, 18) bool, from :func:`read_joints`; all, if not given.

    Returns:
        (…) in pixels; NaN for a frame without any such joint.

    Raises:
        ValueError: shapes that do not fit each other.
    """
    count = expect_poses("poses", poses)
    expect_shape("places", places, " ".join(map(str, (*poses.shape[:-1], 2))))
    if found is not None:
        expect_shape("found", found, " ".join(map(str, poses.shape[:-1])))
        count = count & found
    gaps = (places - poses[..., :2]).norm(dim=-1)
    return torch.where(count, gaps, 0.0).sum(-1) / count.sum(-1)


def missed_joints(found: Tensor, poses: Tensor) -> Tensor:
    """How many joints of each frame are there to be seen and were not found: (…).

    Args:
        found: (…, 18) bool, from :func:`read_joints`.
        poses: the truth, (…, 18, 3). Joints below a confidence of 0.1 do not count.
    """
    seen = expect_poses("poses", poses)
    expect_shape("found", found, " ".join(map(str, poses.shape[:-1])))
    return (seen & ~found).sum(-1)


# Time


def flicker(film: Tensor, truth: Tensor, *, still: float = 0.05, margin: int = 2) -> float:
    """The mean change from one frame to the next, at pixels that do not change in the truth.

    Args:
        film, truth: (N, 3, T, H, W) in [-1, 1], T at least 2.
        still: how much a pixel of the truth may change in any colour and still count as still; a
            camera's noise must be below it.
        margin: pixels this near to one that does change do not count: a limb that is painted a
            little beside its place is another fault.

    Returns:
        A number from 0 to 2; NaN if nothing is still. The truth's own is its camera's noise.

    Raises:
        ValueError: shapes that do not fit each other, or fewer than 2 frames.
    """
    change, true_change = _changes(film, truth)
    moving = (true_change.abs().amax(1, keepdim=True) > still).float()  # (N, 1, T - 1, H, W)
    moving = F.max_pool3d(moving, (1, *(2 * margin + 1,) * 2), 1, (0, margin, margin))
    return change.abs().mean(1, keepdim=True)[moving == 0].mean().item()


def change_error(film: Tensor, truth: Tensor) -> float:
    """The mean |(change of the film) - (change of the truth)|, over all pixels.

    It counts the trembling of the figure too, which :func:`flicker` leaves out; and its lagging.

    Args:
        film, truth: (N, 3, T, H, W) in [-1, 1], T at least 2.

    Returns:
        A number from 0 to 4. A film that stands still has the truth's own mean change.

    Raises:
        ValueError: shapes that do not fit each other, or fewer than 2 frames.
    """
    change, true_change = _changes(film, truth)
    return (change - true_change).abs().mean().item()


def _changes(film: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    frames = expect_shape("film", film, "N 3 T H W")["T"]
    expect_shape("truth", truth, " ".join(map(str, film.shape)))
    if frames < 2:
        raise ValueError(f"film: expected at least 2 frames, got {frames}")
    return film.diff(dim=2), truth.diff(dim=2)


def expect_poses(name: str, poses: Tensor) -> Tensor:
    """Which joints are seen, (…, 18), or a ``ValueError`` for poses that are not (…, 18, 3)."""
    if not isinstance(poses, Tensor) or poses.ndim < 2 or poses.shape[-2:] != (len(JOINTS), 3):
        got = tuple(poses.shape) if isinstance(poses, Tensor) else type(poses).__name__
        raise ValueError(f"{name}: expected (…, {len(JOINTS)}, 3), got {got}")
    return (poses[..., 2] >= SEEN) & poses.isfinite().all(-1)
