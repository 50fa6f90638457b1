"""The 18 joints of a body, the limbs between them, how to draw them, and detectors' other orders.

The order of the joints is OpenPose's for its COCO model, which Everybody Dance Now uses too.
"Right" is the person's own right: on the left of the picture when they face the camera.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from vidgen_lite.checks import expect_positive

JOINTS = (
    "nose",
    "neck",
    "right shoulder",
    "right elbow",
    "right wrist",
    "left shoulder",
    "left elbow",
    "left wrist",
    "right hip",
    "right knee",
    "right ankle",
    "left hip",
    "left knee",
    "left ankle",
    "right eye",
    "left eye",
    "right ear",
    "left ear",
)

# Pairs of joints, painted in this order: later limbs lie over earlier ones.
LIMBS = (
    (1, 8),
    (8, 9),
    (9, 10),
    (1, 11),
    (11, 12),
    (12, 13),
    (1, 2),
    (2, 3),
    (3, 4),
    (1, 5),
    (5, 6),
    (6, 7),
    (1, 0),
    (0, 14),
    (14, 16),
    (0, 15),
    (15, 17),
)

# One turn of the colour wheel, so that no two limbs (and no left and right) share a colour.
LIMB_COLOURS = tuple(colorsys.hsv_to_rgb(k / len(LIMBS), 0.85, 1.0) for k in range(len(LIMBS)))

# MIRROR[j] is the joint that takes the place of j when left and right are exchanged.
MIRROR = (0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16)

# The points of BlazePose and of COCO's 17 that are our joints. -1 is the neck, which neither has.
_BLAZEPOSE = (0, -1, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7)
_COCO17 = (0, -1, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)

SEEN = 0.1  # a joint with less confidence than this is not drawn
_CHUNK = 128  # pictures painted at a time, which bounds the memory for intermediate results


def mirror(poses: Tensor, width: float) -> Tensor:
    """The poses of the mirrored picture: x becomes ``width - x``, left and right change names.

    Args:
        poses: (…, 18, 3) x, y in pixels and confidence.
        width: of the picture in pixels.

    Raises:
        ValueError: another shape, or a width that is not positive.
    """
    _expect_poses(poses)
    if not width > 0:
        raise ValueError(f"width: expected a positive number of pixels, got {width!r}")
    x, y, confidence = poses[..., list(MIRROR), :].unbind(-1)
    return torch.stack([width - x, y, confidence], -1)


def draw(poses: Tensor, *, height: int, width: int, line: float | None = None) -> Tensor:
    """Draw coloured stick figures on black.

    Args:
        poses: (…, 18, 3) x, y in pixels (pixel centres at +0.5) and confidence. A limb is drawn
            if both its joints have a confidence of at least 0.1.
        height, width: of the picture in pixels.
        line: thickness of a limb in pixels; 1/24 of the height if not given.

    Returns:
        (…, 3, height, width) in [-1, 1], with soft edges, on the device of the poses.

    Raises:
        ValueError: another shape, or a size that is not positive.
    """
    return _drawn(poses, height, width, line, 3, _draw_limbs)


def draw_limbs(poses: Tensor, *, height: int, width: int, line: float | None = None) -> Tensor:
    """Draw every limb by itself: the stick figure as 17 pictures, in the order of ``LIMBS``.

    Where limbs cross, :func:`draw` shows the upper one, and in a small picture the lines between
    nose, eyes and ears are one spot. Here none hides another.

    Args:
        poses, height, width, line: as in :func:`draw`.

    Returns:
        (…, 17, height, width) in [-1, 1].

    Raises:
        ValueError: another shape, or a size that is not positive.
    """
    return _drawn(poses, height, width, line, len(LIMBS), _part_limbs)


def from_blazepose(points: Tensor) -> Tensor:
    """The 18 joints from BlazePose's 33 points.

    Args:
        points: (…, 33, 3) x, y and confidence, in BlazePose's order (nose first, toes last).

    Returns:
        (…, 18, 3). The neck is the middle between the shoulders and as sure as the less sure one.

    Raises:
        ValueError: another shape.
    """
    return _from_points(points, 33, _BLAZEPOSE)


def from_coco17(points: Tensor) -> Tensor:
    """The 18 joints from COCO's 17, which most detectors give (YOLO, Detectron2, MMPose, …).

    Args:
        points: (…, 17, 3) x, y and confidence, in COCO's order (nose, left eye, right eye, …).

    Returns:
        (…, 18, 3). The neck is the middle between the shoulders and as sure as the less sure one.

    Raises:
        ValueError: another shape.
    """
    return _from_points(points, 17, _COCO17)


def heatmaps(poses: Tensor, *, height: int, width: int, sigma: float) -> Tensor:
    """Draw each joint as a soft spot in a picture of its own.

    Args:
        poses: (…, 18, 3) x, y in pixels (pixel centres at +0.5) and confidence.
        height, width: of the pictures in pixels.
        sigma: standard deviation of the Gaussian spots in pixels.

    Returns:
        (…, 18, height, width). A spot is as high as the joint is sure: 0 everywhere for a joint
        that was not seen, wherever it is said to be.

    Raises:
        ValueError: another shape, or a size that is not positive.
    """
    _expect_poses(poses)
    expect_positive("height", height)
    expect_positive("width", width)
    if not sigma > 0:
        raise ValueError(f"sigma: expected a positive number of pixels, got {sigma!r}")
    x, y, confidence = poses.nan_to_num()[..., None].unbind(-2)  # (…, 18, 1) each
    across = torch.arange(width, device=poses.device) + 0.5 - x  # (…, 18, W)
    down = torch.arange(height, device=poses.device) + 0.5 - y  # (…, 18, H)
    across, down = (torch.exp(-0.5 * (away / sigma) ** 2) for away in (across, down))
    return (confidence * down)[..., :, None] * across[..., None, :]


def _drawn(
    poses: Tensor,
    height: int,
    width: int,
    line: float | None,
    channels: int,
    paint: Callable[[Tensor, Tensor, float], None],
) -> Tensor:
    """Let ``paint`` fill pictures of so many channels in [0, 1], and bring them to [-1, 1]."""
    _expect_poses(poses)
    expect_positive("height", height)
    expect_positive("width", width)
    line = max(height / 24, 1.0) if line is None else line
    if not line > 0:
        raise ValueError(f"line: expected a positive number of pixels, got {line!r}")
    flat = poses.reshape(-1, len(JOINTS), 3).to(torch.float32)
    picture = flat.new_zeros(len(flat), channels, height, width)
    for part, canvas in zip(flat.split(_CHUNK), picture.split(_CHUNK), strict=True):
        paint(part, canvas, line)
    return picture.mul_(2).sub_(1).reshape(*poses.shape[:-2], channels, height, width)


def _from_points(points: Tensor, count: int, order: tuple[int, ...]) -> Tensor:
    """Put a detector's points into our order, and the neck between the shoulders."""
    if not isinstance(points, Tensor):
        raise TypeError(f"points: expected a torch.Tensor, got {type(points).__name__}")
    if points.ndim < 2 or tuple(points.shape[-2:]) != (count, 3):
        raise ValueError(f"points: expected (…, {count}, 3), got {tuple(points.shape)}")
    poses = points[..., [max(point, 0) for point in order], :]
    right, left = (poses[..., JOINTS.index(f"{side} shoulder"), :] for side in ("right", "left"))
    neck = torch.cat([(right + left)[..., :2] / 2, torch.minimum(right, left)[..., 2:]], -1)
    poses[..., JOINTS.index("neck"), :] = neck
    return poses


def _draw_limbs(poses: Tensor, canvas: Tensor, line: float) -> None:
    """Paint (N, 18, 3) poses on an (N, 3, H, W) canvas in [0, 1], in place."""
    covers = _limb_covers(poses, canvas.shape[-2], canvas.shape[-1], line)
    for cover, colour in zip(covers, LIMB_COLOURS, strict=True):
        canvas.lerp_(canvas.new_tensor(colour)[:, None, None].expand_as(canvas), cover[:, None])


def _part_limbs(poses: Tensor, canvas: Tensor, line: float) -> None:
    """Paint (N, 18, 3) poses on an (N, 17, H, W) canvas in [0, 1], in place."""
    covers = _limb_covers(poses, canvas.shape[-2], canvas.shape[-1], line)
    for channel, cover in zip(canvas.unbind(1), covers, strict=True):
        channel.copy_(cover)


def _limb_covers(poses: Tensor, height: int, width: int, line: float) -> Iterator[Tensor]:
    """How much of each pixel a limb covers, limb after limb: (N, H, W) in [0, 1]."""
    y = torch.arange(height, device=poses.device)[:, None] + 0.5  # (H, 1)
    x = torch.arange(width, device=poses.device) + 0.5  # (W,)
    seen = poses[..., 2] >= SEEN
    places = poses[..., :2].nan_to_num()  # a missing joint may be anywhere, even nowhere
    for start, stop in LIMBS:
        ax, ay = places[:, start, :, None, None].unbind(1)
        bx, by = (places[:, stop] - places[:, start])[..., None, None].unbind(1)
        length = (bx * bx + by * by).clamp(min=1e-6)
        along = (((x - ax) * bx + (y - ay) * by) / length).clamp(0, 1)  # (N, H, W)
        away = torch.hypot(x - ax - along * bx, y - ay - along * by)
        cover = (line / 2 - away + 0.5).clamp(0, 1)
        yield cover * (seen[:, start] & seen[:, stop])[:, None, None]


def _expect_poses(poses: Tensor) -> None:
    if not isinstance(poses, Tensor):
        raise TypeError(f"poses: expected a torch.Tensor, got {type(poses).__name__}")
    if poses.ndim < 2 or tuple(poses.shape[-2:]) != (len(JOINTS), 3):
        raise ValueError(f"poses: expected (…, {len(JOINTS)}, 3), got {tuple(poses.shape)}")
