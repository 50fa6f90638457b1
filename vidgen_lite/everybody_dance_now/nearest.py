"""The baseline that paints nothing: for every pose, the training frame with the nearest pose."""

from __future__ import annotations

import torch
from torch import Tensor

from vidgen_lite.checks import expect_number, expect_shape
from vidgen_lite.everybody_dance_now.evaluate import expect_poses
from vidgen_lite.skeleton import JOINTS


def nearest_film(
    poses: Tensor, training_frames: Tensor, training_poses: Tensor, *, missing: float = 0.1
) -> Tensor:
    """Put a dance together from the target's own frames.

    Every frame of it is real, so it is as sharp as can be, and it jumps.

    Args:
        poses: of the dance, (N, T, 18, 3).
        training_frames: (M, 3, H, W).
        training_poses: theirs, (M, 18, 3), in the same pixels.
        missing: see :func:`nearest_frames`.

    Returns:
        (N, 3, T, H, W), of the frames' type.

    Raises:
        ValueError: see :func:`nearest_frames`; or frames and their poses differ in number.
    """
    expect_shape("training_frames", training_frames, f"{len(training_poses)} 3 H W")
    nearest = nearest_frames(poses, training_poses, missing=missing)
    return training_frames[nearest].transpose(1, 2)


def nearest_frames(poses: Tensor, training_poses: Tensor, *, missing: float = 0.1) -> Tensor:
    """The numbers of the training frames whose poses are nearest: see :func:`pose_gaps`.

    A frame of the dance in which no joint is seen keeps its predecessor's neighbour, or, at the
    beginning, takes the first that comes.

    Args:
        poses: (N, T, 18, 3), frames in order of time.
        training_poses: (M, 18, 3). A frame without a joint is never chosen.
        missing: what a joint costs that is seen in one pose only, as a share of the tallest
            training pose.

    Returns:
        (N, T), int64.

    Raises:
        ValueError: other shapes, a negative cost, or no joint in the training poses or in a film.
    """
    expect_shape("poses", poses, f"N T {len(JOINTS)} 3")
    expect_shape("training_poses", training_poses, f"M {len(JOINTS)} 3")
    expect_number("missing", missing, at_least=0)
    known = expect_poses("training_poses", training_poses)  # (M, 18)
    there = expect_poses("poses", poses).any(-1)  # (N, T)
    for name, films in (("training_poses", known[None].any(-1)), ("poses", there)):
        if not films.any(-1).all():
            raise ValueError(f"{name}: expected a joint that is seen, got a film without")
    y = training_poses[..., 1]
    tall = y.masked_fill(~known, -torch.inf).amax(-1) - y.masked_fill(~known, torch.inf).amin(-1)
    cost = missing * tall.max().item()  # -inf for poses without a joint
    gaps = torch.cat(
        [
            pose_gaps(some, training_poses, missing=cost)
            for some in poses.flatten(0, 1).split(64)  # bounds the memory
        ]
    )
    nearest = gaps.argmin(1).view(there.shape)
    time = torch.arange(there.shape[1], device=there.device).expand_as(there)
    last = time.where(there, -1).cummax(1).values  # the latest frame with a joint
    first = there.long().argmax(1, keepdim=True)
    return nearest.gather(1, last.where(last >= 0, first))


def pose_gaps(poses: Tensor, others: Tensor, *, missing: float) -> Tensor:
    """The paper's distance of two poses: the mean over the joints of how far apart they are.

    The paper's poses are complete. Here a joint that only one of the two has counts as
    ``missing`` pixels (a face turned away is another pose than one that looks at us), and a joint
    that neither has does not count.

    Args:
        poses: (A, 18, 3). others: (B, 18, 3), in pixels of the same frame.
        missing: in pixels.

    Returns:
        (A, B) in pixels; infinite where one of the two has no joint at all.

    Raises:
        ValueError: other shapes.
    """
    expect_shape("poses", poses, f"A {len(JOINTS)} 3")
    expect_shape("others", others, f"B {len(JOINTS)} 3")
    seen, known = (expect_poses("poses", some) for some in (poses, others))
    one, other = (some[..., :2].nan_to_num() for some in (poses, others))
    gaps = (one[:, None] - other).norm(dim=-1)  # (A, B, 18)
    both, either = seen[:, None] & known, seen[:, None] | known
    total = torch.where(both, gaps, missing) * either
    mean = total.sum(-1) / either.sum(-1).clamp(min=1)
    empty = ~seen.any(-1)[:, None] | ~known.any(-1)
    return mean.masked_fill(empty, torch.inf)
