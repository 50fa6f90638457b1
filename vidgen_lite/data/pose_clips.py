"""Clips of a real person with their poses: what the lectures train on when it is not a puppet.

The poses come from ``vidgen_lite.data.poses``. ``crop_to_person`` works on any video; the course's
own is a man who balances on a beam, seen by four cameras for 100 frames: enough to show the way on
a real person, and far from the minutes of video that a paper uses.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vidgen_lite.checks import expect_choice, expect_positive, expect_shape
from vidgen_lite.data.blazepose import Square, cut
from vidgen_lite.data.fetch import fetch
from vidgen_lite.data.poses import detect_poses, smooth_poses
from vidgen_lite.data.video_files import read_video, to_clips
from vidgen_lite.skeleton import JOINTS, SEEN
from vidgen_lite.training import to_float

BALANCE_FPS = 60  # frames a second of the four cameras
TRAIN_SHARE = 0.8  # of a view's time; what comes after is for testing


@dataclass(frozen=True)
class PoseClips:
    """Clips and the poses in them.

    Attributes:
        video: (N, 3, T, H, W) float32 in [-1, 1].
        pose: (N, T, 18, 3) x, y in pixels of the clips and confidence.
    """

    video: Tensor
    pose: Tensor


def crop_to_person(
    video: Tensor, poses: Tensor, *, size: int, margin: float = 0.15
) -> tuple[Tensor, Tensor]:
    """Cut the square out of a video that holds a person in all its frames.

    The square is the same in every frame, so that a still camera stays still.

    Args:
        video: (T, H, W, 3) uint8.
        poses: (T, 18, 3) in pixels of the video.
        size: of the result in pixels.
        margin: room around the joints on each side, as a share of their extent: they end at the
            ears, wrists and ankles.

    Returns:
        (3, T, size, size) float32 in [-1, 1], black where the square leaves the frame, and
        (T, 18, 3) the poses in its pixels.

    Raises:
        ValueError: shapes that do not fit each other, or poses without a joint that was seen.
    """
    frames = expect_shape("video", video, "T H W 3")["T"]
    expect_shape("poses", poses, f"{frames} {len(JOINTS)} 3")
    expect_positive("size", size)
    square = _hold(poses, video.shape[1], video.shape[2], margin)
    frames_cut = torch.stack([cut(frame, square, size) for frame in video])  # (T, size, size, 3)
    corner = torch.tensor([square.x, square.y]) - square.side / 2
    places = (poses[..., :2] - corner) * (size / square.side)
    clip = to_clips((frames_cut * 255).round().to(torch.uint8))
    return clip, torch.cat([places, poses[..., 2:]], -1)


def squeezed(video: Tensor, pose: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Bring films and their poses to another height and width; at the same size, leave both alone.

    Args:
        video: (N, C, T, H, W), uint8 or float.
        pose: (…, 3): x, y in pixels of the films and confidence.
        size: height and width.
    """
    t, h, w = video.shape[2:]
    if (h, w) == tuple(size):
        return video, pose
    scale = pose.new_tensor([size[1] / w, size[0] / h, 1.0])
    return F.interpolate(to_float(video), (t, *size), mode="area"), pose * scale


def balance_clips(
    split: str,
    *,
    size: int = 64,
    frames: int = 16,
    step: int = 1,
    every: int = 1,
    cameras: Sequence[int] = (3,),
) -> PoseClips:
    """Clips of the man on the beam, with detected and smoothed poses.

    Args:
        split: "train" (the first 80 % of each view's time) or "test" (what comes after).
        size: height and width in pixels.
        frames: length of a clip.
        step: frames of the video from one clip's start to the next one's.
        every: take every so-manieth frame of the 60 a second.
        cameras: of the four, 1 to 4. Camera 3 sees him from behind.

    Returns:
        The clips, by camera and then by time. They overlap if ``step`` is short.

    Raises:
        ImportError: the extra ``pose`` is not installed, and the poses are not in the cache.
        FetchError: the video is not in the cache and can't be fetched.
        ValueError: an argument that makes no sense, or that leaves no clip.
    """
    expect_choice("split", split, ("train", "test"))
    for name, value in {"size": size, "frames": frames, "step": step, "every": every}.items():
        expect_positive(name, value)
    if not cameras or not set(cameras) <= {1, 2, 3, 4}:
        raise ValueError(f"cameras: expected some of 1, 2, 3, 4, got {tuple(cameras)}")
    videos, poses = [], []
    for camera in cameras:
        video, pose = _balance_view(camera, size)
        end = int(TRAIN_SHARE * len(pose))
        first, last = (0, end) if split == "train" else (end, len(pose))
        span = (frames - 1) * every + 1
        for start in range(first, last - span + 1, step):
            videos.append(video[:, start : start + span : every])
            poses.append(pose[start : start + span : every])
    if not videos:
        raise ValueError(
            f"frames: expected fewer; no {split} clip of {frames} frames, every {every}, fits"
        )
    return PoseClips(torch.stack(videos), torch.stack(poses))


@functools.lru_cache(maxsize=4)
def _balance_view(camera: int, size: int) -> tuple[Tensor, Tensor]:
    """One camera's whole video, cropped to the man, and his poses."""
    file = fetch("balance")[f"cam{camera:02d}.mp4"]
    height, width = read_video(file, frames=1).shape[1:3]
    # He fills a square of a thousand pixels: half of them are enough, and read in half the time.
    video = read_video(file, size=(height // 2, width // 2))
    poses = smooth_poses(detect_poses(video), width=2)  # 60 frames a second
    return crop_to_person(video, poses, size=size)


def _hold(poses: Tensor, height: int, width: int, margin: float) -> Square:
    """The square that holds all joints that were seen, moved into the frame as far as it fits."""
    places = poses[poses[..., 2] >= SEEN][:, :2]  # (joints of all frames, 2)
    if len(places) == 0:
        raise ValueError("poses: expected at least one joint that was seen, got none")
    low, high = places.amin(0), places.amax(0)
    extent = float((high - low).max())
    # Rather less margin than the black beyond the frame.
    side = max(min(extent * (1 + 2 * margin), max(min(height, width), extent)), 1.0)
    centre = [
        min(max(middle, side / 2), length - side / 2) if side <= length else length / 2
        for middle, length in zip(((low + high) / 2).tolist(), (width, height), strict=True)
    ]
    return Square(centre[0], centre[1], side)
