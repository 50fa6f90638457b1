"""BlazePose: two small networks that find people and the 33 points of a body.

The first looks at a whole picture and says where people are, the second looks at one person, turned
upright, and says where the joints are. On video the second alone is enough as long as it is sure:
where a person was in one frame is where to look in the next. Source: V. Bazarevsky et al.,
"BlazePose: On-device Real-time Body Pose tracking", 2020; the files are MediaPipe's (Apache-2.0),
run by LiteRT (the extra ``pose``). ``vidgen_lite.data.poses`` makes poses of the course from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidgen_lite.data.fetch import fetch

DETECTOR_SIZE, LANDMARK_SIZE = 224, 256  # side of the square that each network looks at, in pixels
POINTS = 33  # of a body; the network gives six more, two of which say where to look next
FOUND = 0.5  # a person is there if the network says so with at least this probability
OVERLAP = 0.3  # boxes that share more (intersection over union) show the same person
MARGIN = 1.25  # how much larger the square is than the body's circle

_NEEDS = (
    "finding poses needs the package ai-edge-litert: pip install 'ai-edge-litert>=2.0'. "
    "The course goes on without it: motion capture needs no detector."
)


@dataclass(frozen=True)
class Square:
    """A square of the picture, perhaps turned: where a network looks.

    Attributes:
        x, y: its centre, in pixels of the frame.
        side: in pixels of the frame.
        angle: how far its upward direction leans to the right of the picture's, in radians.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    def to_frame(self, points: Tensor) -> Tensor:
        """Points (…, 2), x and y in [0, 1] across the square, to pixels of the frame."""
        turned = (points - 0.5) @ self._axes().to(points)
        return turned + torch.tensor([self.x, self.y]).to(points)

    def _axes(self) -> Tensor:
        """(2, 2): the square's sides, rightwards and downwards, in pixels of the frame."""
        across, down = math.cos(self.angle) * self.side, math.sin(self.angle) * self.side
        return torch.tensor([[across, down], [-down, across]])


def around(centre: Tensor, tip: Tensor) -> Square:
    """The square around a body, from two points (2,) in pixels: mid-hips and the circle's top.

    The circle about the hips that holds the whole body touches ``tip`` in the direction of the
    head; the square is a little larger and turned so that the body stands upright in it.
    """
    across, down = (tip - centre).tolist()
    side = 2 * MARGIN * math.hypot(across, down)
    x, y = centre.tolist()
    return Square(x, y, side, math.atan2(across, -down))


def cut(frame: Tensor, square: Square, size: int) -> Tensor:
    """Cut a square out of a frame, upright and resized; black outside the frame.

    Args:
        frame: (H, W, 3) uint8.
        square: where.
        size: of the result.

    Returns:
        (size, size, 3) float32 in [0, 1].
    """
    corners = square.to_frame(torch.tensor([[0.0, 0.0], [1, 0], [0, 1], [1, 1]]))
    # Only the part of the frame that is looked at, averaged over blocks, so that nothing flickers.
    block = max(int(square.side / size), 1)
    left, top = (corners.amin(0).floor().long() - block).clamp(min=0).tolist()
    right, bottom = (corners.amax(0).ceil().long() + block).clamp(min=0).tolist()
    part = frame[top:bottom, left:right].permute(2, 0, 1)[None].to(torch.float32)  # (1, 3, h, w)
    if 0 in part.shape:
        return torch.zeros(size, size, 3)
    part = F.avg_pool2d(part, block, ceil_mode=True, count_include_pad=False) if block > 1 else part
    steps = (torch.arange(size) + 0.5) / size
    grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)  # (size, size, 2)
    places = square.to_frame(grid) - torch.tensor([float(left), float(top)])
    extent = torch.tensor([float(part.shape[-1]), float(part.shape[-2])]) * block
    found = F.grid_sample(part, (2 * places / extent - 1)[None], align_corners=False)
    return found[0].permute(1, 2, 0) / 255  # (size, size, 3)


def anchors() -> Tensor:
    """(2254, 2): where the detector's boxes have their origin, x and y in [0, 1].

    Two at each of 28 x 28 places, two at each of 14 x 14, and six at each of 7 x 7.
    """
    parts = []
    for cells, each in ((28, 2), (14, 2), (7, 6)):
        steps = (torch.arange(cells) + 0.5) / cells
        grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)
        parts.append(grid.reshape(-1, 2).repeat_interleave(each, 0))
    return torch.cat(parts)


def keep_best(boxes: Tensor, scores: Tensor, overlap: float = OVERLAP) -> list[int]:
    """Non-maximum suppression: of boxes that show the same thing, keep the one with most score.

    Args:
        boxes: (N, 4) centre x, centre y, width, height.
        scores: (N,).
        overlap: most that two kept boxes share, as intersection over union.

    Returns:
        Indices of the kept boxes, best first.
    """
    low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    areas = boxes[:, 2:].prod(1)
    kept: list[int] = []
    for index in scores.argsort(descending=True).tolist():
        shared = torch.minimum(high[kept], high[index]) - torch.maximum(low[kept], low[index])
        common = shared.clamp(min=0).prod(1)
        if not (common > overlap * (areas[kept] + areas[index] - common)).any():
            kept.append(index)
    return kept


def refine(points: Tensor, heat: Tensor) -> Tensor:
    """Move points to the middle of the heat that lies about them, where there is any.

    The network's numbers are steady but a little beside the limb; its heat-maps are exact, but
    only where the joint can be seen.

    Args:
        points: (J, 2) x and y in [0, 1].
        heat: (J, H, W) probabilities that the joint is there.

    Returns:
        (J, 2): the mean place of the 7 x 7 cells about each point, weighted by their heat, if one
        of them has at least 0.5, else the point itself.
    """
    height, width = heat.shape[1:]
    reach = torch.arange(-3, 4)
    x, y = (points * torch.tensor([width, height])).long().unbind(-1)  # (J,)
    x, y = x[:, None, None] + reach, y[:, None, None] + reach[:, None]  # (J, 1, 7), (J, 7, 1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    joint = torch.arange(len(points))[:, None, None]
    near = heat[joint, y.clamp(0, height - 1), x.clamp(0, width - 1)] * inside  # (J, 7, 7)
    mean = torch.stack([(near * x).sum((1, 2)) / width, (near * y).sum((1, 2)) / height], -1)
    hot = near.amax((1, 2)) >= FOUND
    return torch.where(hot[:, None], mean / near.sum((1, 2))[:, None], points)


class BlazePose:
    """The two networks, loaded and ready.

    Args:
        threads: processor threads for each; torch's number of threads if not given.

    Raises:
        ImportError: the extra ``pose`` is not installed.
        FetchError: the networks are not in the cache and can't be fetched.
    """

    def __init__(self, *, threads: int | None = None) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ImportError(_NEEDS) from error
        files = fetch("pose")
        threads = torch.get_num_threads() if threads is None else threads

        def load(file: Path) -> Any:
            network = Interpreter(model_path=str(file), num_threads=threads)
            network.allocate_tensors()
            return network

        self._detector = load(files["pose_detection.tflite"])
        self._landmarks = load(files["pose_landmark_full.tflite"])
        self._anchors = anchors()

    def find(self, frame: Tensor, square: Square | None = None) -> list[tuple[float, Square]]:
        """Look for people in a frame (H, W, 3) uint8, or in a square of it.

        Returns:
            Probability and square of each, the most probable first. A person must take up a good
            part of what is looked at, about a fifth of its height, to be found.
        """
        height, width = frame.shape[:2]
        square = square or Square(width / 2, height / 2, max(height, width))
        picture = cut(frame, square, DETECTOR_SIZE) * 2 - 1
        raw, logits = _run(self._detector, picture)
        scores = torch.from_numpy(logits).reshape(-1).sigmoid()
        sure = scores >= FOUND
        values = torch.from_numpy(raw).reshape(len(scores), 6, 2)[sure] / DETECTOR_SIZE
        boxes, scores = values.clone(), scores[sure]
        boxes[:, [0, 2, 3, 4, 5]] += self._anchors[sure, None]  # all but the size, in row 1
        kept = keep_best(boxes[:, :2].flatten(1), scores)
        # Rows 2 and 3: mid-hips, and the top of the circle that holds the body.
        places = square.to_frame(boxes[kept, 2:4])
        return [
            (score, around(centre, tip))
            for score, (centre, tip) in zip(scores[kept].tolist(), places, strict=True)
        ]

    def look(self, frame: Tensor, square: Square) -> tuple[float, Tensor, Square]:
        """Find the joints of the person in a square of a frame (H, W, 3) uint8.

        Returns:
            The probability that there is a person; (33, 3) points, x and y in pixels of the frame
            and confidence (the probability that the point is in the picture and not hidden); and
            the square to look at in the next frame.
        """
        picture = cut(frame, square, LANDMARK_SIZE)
        raw, presence, _, heat, _ = map(torch.from_numpy, _run(self._landmarks, picture))
        points = raw.reshape(-1, 5)  # x, y, depth, and two logits
        guess = points[:, :2] / LANDMARK_SIZE
        places = square.to_frame(refine(guess, heat[0].permute(2, 0, 1).sigmoid()))
        confidence = points[:, 3:].sigmoid().amin(1)
        body = torch.cat([places, confidence[:, None]], 1)[:POINTS]
        return float(presence.item()), body, around(places[POINTS], places[POINTS + 1])


def _run(network: Any, picture: Tensor) -> list[np.ndarray]:
    """The network's outputs, in their order, for a picture (H, W, 3)."""
    network.set_tensor(network.get_input_details()[0]["index"], picture[None].numpy())
    network.invoke()
    return [network.get_tensor(output["index"]) for output in network.get_output_details()]
