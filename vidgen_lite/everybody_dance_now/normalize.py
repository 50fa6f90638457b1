"""One person's poses made to fit where another person stood: global pose normalisation.

The source and the target differ in height, in their distance from the camera, and in how the
camera stands. The paper corrects this with an affine map of the joints that depends on how near
the dancer is, told by the height of the ankles in the picture (appendix 8.5, equations 7 to 9).
It is no layer and learns nothing. It corrects size and place, and leaves the proportions of the
limbs as they are.

Pixels run downwards: the ankles of somebody who is close have a large y.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vidgen_lite.checks import expect_number, expect_shape
from vidgen_lite.skeleton import JOINTS, SEEN

NOSE = JOINTS.index("nose")
EARS = [JOINTS.index(f"{side} ear") for side in ("right", "left")]
ANKLES = [JOINTS.index(f"{side} ankle") for side in ("right", "left")]
NEAR = 0.1  # of the range of ankles: frames this near to one of its ends tell the height there
SHORT = 0.9  # a height less than this share of the greatest one is a crouch


class Statistics(NamedTuple):
    """What is known of the source (s) and the target (t), in pixels, but for the scales.

    Attributes:
        s_close, s_far: y of the source's ankles where they are closest and farthest.
        t_close, t_far: of the target's.
        c_close, c_far: the target's height over the source's, close and far.
        shift: the x of the target's ankles less the source's, medians.
    """

    s_close: float
    s_far: float
    t_close: float
    t_far: float
    c_close: float
    c_far: float
    shift: float


class PoseNormalizer:
    """Move and scale a source's poses to where the target has been seen.

    ``fit`` on poses of both, then call on the source's. Every pose is scaled about the middle of
    its own ankles, and these are moved up or down. (The authors' code scales about the ankle of
    the first frame, which is right in the first frame only.)

    It can do with

    * missing joints: they stay missing, and confidences stay as they are. A frame with one ankle
      uses that one. Where none is seen, the ankles' place is interpolated between the frames
      around, and held at the ends.
    * a dancer who never moves in depth, or hardly: the target's range is shrunk round its middle
      until a step is at most ``stretch`` times as long as the source's, in heights of the body.
      (The authors shrink it to the source's length, in pixels.)
    * leaps: beyond the two ends, where the paper's lines would run on and a leap would make the
      dancer small, the scale of the nearer end holds and the ankles move at that scale.
    * a source of any length: how many frames there are does not matter.

    Args:
        alpha: how far from the median the far ankles may be, as a share of the close ones'
            distance; 0.7 in the paper.
        stretch: see above.
        centre: also move the poses sideways, by the difference of the medians. The paper moves
            nobody sideways; two films that were cropped otherwise need it.

    Raises:
        ValueError: an alpha that is not above 0, or a stretch below 1.
    """

    def __init__(self, *, alpha: float = 0.7, stretch: float = 3.0, centre: bool = False) -> None:
        expect_number("alpha", alpha, above=0)
        expect_number("stretch", stretch, at_least=1)
        self.alpha, self.stretch, self.centre = alpha, stretch, centre
        self._statistics: Statistics | None = None

    @property
    def statistics(self) -> Statistics:
        """What ``fit`` found.

        Raises:
            RuntimeError: it was not called yet.
        """
        if self._statistics is None:
            raise RuntimeError("PoseNormalizer: expected fit(source_poses, target_poses) first")
        return self._statistics

    def fit(self, source_poses: Tensor, target_poses: Tensor) -> PoseNormalizer:
        """Measure how near and far both have stood, and how tall they are there.

        Args:
            source_poses: (…, 18, 3): x, y in pixels and confidence; frames in any order.
            target_poses: likewise, of the person the model was trained on.

        Returns:
            Itself.

        Raises:
            ValueError: another shape, or poses without a frame in which an ankle is seen together
                with the nose or an ear.
        """
        source = _Stand("source_poses", source_poses, self.alpha)
        target = _Stand("target_poses", target_poses, self.alpha)
        tall = target.tallest / source.tallest
        longest = self.stretch * tall * (source.close - source.far)
        middle = (target.close + target.far) / 2
        half = min(target.close - target.far, longest) / 2
        t_close, t_far = middle + half, middle - half
        self._statistics = Statistics(
            s_close=source.close,
            s_far=source.far,
            t_close=t_close,
            t_far=t_far,
            c_close=target.height_near(t_close) / source.height_near(source.close),
            c_far=target.height_near(t_far) / source.height_near(source.far),
            shift=target.x - source.x,
        )
        return self

    def __call__(self, poses: Tensor) -> Tensor:
        """Normalise the source's poses.

        Args:
            poses: (…, T, 18, 3) in pixels of the source's frames, in order of time.

        Returns:
            (…, T, 18, 3) in pixels of the target's frames.

        Raises:
            RuntimeError: not fitted yet.
            ValueError: another shape, or no ankle in any frame.
        """
        statistics = self.statistics
        if not isinstance(poses, Tensor) or poses.ndim < 3 or poses.shape[-2:] != (len(JOINTS), 3):
            got = tuple(poses.shape) if isinstance(poses, Tensor) else type(poses).__name__
            raise ValueError(f"poses: expected (…, T, {len(JOINTS)}, 3), got {got}")
        tracks = poses.reshape(-1, *poses.shape[-3:])
        ankle = torch.stack([_filled(*ankles(track)) for track in tracks])  # (N, T, 2)
        ankle = ankle.reshape(*poses.shape[:-2], 1, 2)
        y = ankle[..., 1]
        x = ankle[..., 0] + (statistics.shift if self.centre else 0.0)
        moved = torch.stack([x, ankle_position(y, statistics)], -1)
        places = moved + body_scale(y, statistics)[..., None] * (poses[..., :2] - ankle)
        return torch.cat([places, poses[..., 2:]], -1)


def ankle_position(y: Tensor, statistics: Statistics) -> Tensor:
    """Where the ankles come to be: the source's range is laid over the target's.

    t_far + (y - s_far) / (s_close - s_far) (t_close - t_far), between the ends.

    Equation: eq:normalise-translation

    Args:
        y: of the source's ankles, any shape, in pixels.
        statistics: from :meth:`.PoseNormalizer.fit`.

    Returns:
        y in the target's frame. Beyond an end: that end, and from there on at its scale.
    """
    s = statistics
    share = _share(y, s)
    beyond = y - (s.s_far + share * (s.s_close - s.s_far))
    return s.t_far + share * (s.t_close - s.t_far) + body_scale(y, s) * beyond


def body_scale(y: Tensor, statistics: Statistics) -> Tensor:
    """How much larger the body gets: c_far + (y - s_far) / (s_close - s_far) (c_close - c_far).

    Equation: eq:normalise-scale

    Args:
        y: of the source's ankles, any shape, in pixels.
        statistics: from :meth:`.PoseNormalizer.fit`.

    Returns:
        A scale, never beyond those of the two ends.
    """
    return statistics.c_far + _share(y, statistics) * (statistics.c_close - statistics.c_far)


def far_ankle(y: Tensor, alpha: float = 0.7) -> Tensor:
    """s_far: the smallest y above the median, but not much farther from it than the largest.

    The smallest of those y below the median value s_med for which |y - s_med| is less than alpha
    |s_close - s_med|. (One transcription of the paper asks for the largest; the authors' code
    takes the one farthest from the median.) So the leaps do not count as standing far away.

    Equation: eq:ankle-far

    Args:
        y: of the ankles in all frames, (T,), without NaN.
        alpha: 0.7 in the paper.

    Returns:
        A scalar; the median itself if no y qualifies.
    """
    median, close = y.quantile(0.5), y.max()
    qualify = (y < median) & ((y - median).abs() < alpha * (close - median).abs())
    return y[qualify].min() if qualify.any() else median


def ankles(poses: Tensor) -> tuple[Tensor, Tensor]:
    """The middle of the ankles, (…, 2), and whether one of them is seen, (…): NaN where not."""
    return _middle(poses, ANKLES)


def heights(poses: Tensor) -> Tensor:
    """From the nose (else the middle of the ears) to the middle of the ankles, (…), in pixels.

    NaN where one end is not seen.
    """
    feet, _ = ankles(poses)
    nose, seen = _middle(poses, [NOSE])
    ears, _ = _middle(poses, EARS)
    return (torch.where(seen[..., None], nose, ears) - feet).norm(dim=-1)


def median_poses(poses: Tensor, *, window: int = 7) -> Tensor:
    """Take out joints that jump: the median over a sliding window of frames, as the authors do.

    For videos of 30 frames a second or fewer; for faster ones the paper smooths with a Gaussian:
    see :func:`vidgen_lite.data.poses.smooth_poses`.

    Args:
        poses: (T, 18, 3).
        window: frames, an odd number.

    Returns:
        (T, 18, 3). Places are medians over the frames in which the joint was seen, confidences
        over all frames: so a joint missing for most of the window is missing, and its place NaN.

    Raises:
        ValueError: another shape, or a window that is even or not positive.
    """
    t = expect_shape("poses", poses, f"T {len(JOINTS)} 3")["T"]
    if isinstance(window, bool) or not isinstance(window, int) or window < 1 or window % 2 == 0:
        raise ValueError(f"window: expected an odd positive integer, got {window!r}")
    half = window // 2
    seen = _seen(poses)
    places = poses[..., :2].masked_fill(~seen[..., None], float("nan"))
    confidence = poses[..., 2].nan_to_num()
    smooth = torch.empty_like(poses)
    for i in range(t):
        near = slice(max(i - half, 0), i + half + 1)  # shorter at the ends of the film
        smooth[i, :, 2] = confidence[near].quantile(0.5, dim=0)
        smooth[i, :, :2] = places[near].nanquantile(0.5, dim=0)
    lost = smooth[..., 2] < SEEN
    smooth[..., :2] = smooth[..., :2].masked_fill(lost[..., None], float("nan"))
    smooth[..., 2] = smooth[..., 2].masked_fill(lost, 0)
    return smooth


class _Stand:
    """How close and far one person has stood, and how tall they look."""

    def __init__(self, name: str, poses: Tensor, alpha: float) -> None:
        if not isinstance(poses, Tensor) or poses.ndim < 3 or poses.shape[-2:] != (len(JOINTS), 3):
            got = tuple(poses.shape) if isinstance(poses, Tensor) else type(poses).__name__
            raise ValueError(f"{name}: expected (…, T, {len(JOINTS)}, 3), got {got}")
        poses = poses.reshape(-1, len(JOINTS), 3).double()
        feet, seen = ankles(poses)
        tall = heights(poses)
        known = tall > 0  # False for NaN
        if not known.any():
            raise ValueError(
                f"{name}: expected a frame in which an ankle is seen together with the nose or an "
                f"ear, got none in {len(poses)}"
            )
        self.close = float(feet[seen, 1].max())
        self.far = float(far_ankle(feet[seen, 1], alpha))
        self.x = float(feet[seen, 0].quantile(0.5))
        self._at, self._tall = feet[known, 1], tall[known]
        self.tallest = float(self._tall.max())

    def height_near(self, y: float) -> float:
        """The greatest height in the frames whose ankles are near y, at the close end not a crouch.

        If there is no such frame, that of the nearest ones.
        """
        away = (self._at - y).abs()
        near = away <= max(NEAR * (self.close - self.far), float(away.min()) + 1e-6)
        height = float(self._tall[near].max())
        at_the_close_end = self.close - y <= NEAR * (self.close - self.far) + 1e-6
        return self.tallest if at_the_close_end and height < SHORT * self.tallest else height


def _share(y: Tensor, s: Statistics) -> Tensor:
    """How near the source is: 0 at its far end, 1 at its close one; 1/2 if it has no range."""
    if not s.s_close > s.s_far:
        return torch.full_like(y, 0.5)
    return ((y - s.s_far) / (s.s_close - s.s_far)).clamp(0, 1)


def _seen(poses: Tensor) -> Tensor:
    return (poses[..., 2] >= SEEN) & poses.isfinite().all(-1)


def _middle(poses: Tensor, joints: list[int]) -> tuple[Tensor, Tensor]:
    """The mean place of those joints that are seen, NaN if none is; and whether one is."""
    some = poses[..., joints, :]
    seen = _seen(some)
    total = torch.where(seen[..., None], some[..., :2], 0.0).sum(-2)
    return total / seen.sum(-1)[..., None], seen.any(-1)


def _filled(places: Tensor, seen: Tensor) -> Tensor:
    """Places (T, 2) with those that were not seen interpolated in time, and held at the ends."""
    if not seen.any():
        raise ValueError(f"poses: expected an ankle in some frame, got none in {len(seen)}")
    if seen.all():
        return places
    time = torch.arange(len(seen), device=places.device)
    known = time[seen]
    after = torch.searchsorted(known, time).clamp(max=len(known) - 1)
    before = (torch.searchsorted(known, time, right=True) - 1).clamp(min=0)
    low, high = known[before], known[after]
    weight = ((time - low) / (high - low).clamp(min=1)).to(places)[:, None]
    return places[low].lerp(places[high], weight.clamp(0, 1))
