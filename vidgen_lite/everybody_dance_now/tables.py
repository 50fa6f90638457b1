"""Several films against the truth in one table, and the paper's own numbers to put beside it."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from vidgen_lite.checks import expect_shape
from vidgen_lite.everybody_dance_now.evaluate import (
    WINDOW,
    Measure,
    body_boxes,
    change_error,
    flicker,
    missed_joints,
    over_boxes,
    perceptual_distance,
    pose_distance,
    read_joints,
    ssim,
)
from vidgen_lite.everybody_dance_now.face import FACE_SHARE, face_boxes
from vidgen_lite.keypoints import KeypointNetwork

Row = dict[str, str | float]  # a film's name under "name", then numbers by the metrics' names

TRUTH = "the true film"

PAPER_SOURCE = (
    "Chan, Ginosar, Zhou and Efros, Everybody Dance Now, arXiv:1808.07371, version 1 (2018), "
    "as transcribed in public reading notes"
)
# Pix2pixHD is our FBF, + T.S. our FBF+TS, + T.S. + Face our FBF+TS+FG.
PAPER_CROPS: tuple[Row, ...] = (
    {
        "name": "pix2pixHD",
        "body SSIM": 0.89564,
        "body LPIPS": 0.03189,
        "face SSIM": 0.81374,
        "face LPIPS": 0.03731,
    },
    {
        "name": "+ T.S.",
        "body SSIM": 0.89597,
        "body LPIPS": 0.03137,
        "face SSIM": 0.8177,
        "face LPIPS": 0.03662,
    },
    {
        "name": "+ T.S. + Face",
        "body SSIM": 0.89807,
        "body LPIPS": 0.03066,
        "face SSIM": 0.83046,
        "face LPIPS": 0.03304,
    },
)
# The mean distance over 23 joints of the body, 70 points of the face, 21 of a hand, and all.
PAPER_POSES: tuple[Row, ...] = (
    {"name": "pix2pixHD", "body": 2.39352, "face": 1.1872, "hands": 3.86359, "all": 2.0781},
    {"name": "+ T.S.", "body": 2.63446, "face": 1.14348, "hands": 3.76056, "all": 2.06884},
    {"name": "+ T.S. + Face", "body": 2.56743, "face": 0.91636, "hands": 3.29771, "all": 1.92704},
)
# How many of them a detector misses in an image.
PAPER_MISSED: tuple[Row, ...] = (
    {"name": "pix2pixHD", "body": 0.17864, "face": 0.77796, "hands": 1.67584, "all": 2.63244},
    {"name": "+ T.S.", "body": 0.15989, "face": 0.56318, "hands": 1.76016, "all": 2.48323},
    {"name": "+ T.S. + Face", "body": 0.15578, "face": 0.47392, "hands": 1.66366, "all": 2.29336},
)


def compare(
    films: Mapping[str, Tensor],
    truth: Tensor,
    poses: Tensor,
    *,
    features: Any,
    reader: KeypointNetwork | None = None,
    face_size: int | None = None,
) -> list[Row]:
    """Measure painted films of the same dance against the true one.

    The true film has a row of its own, the first: what the reader of poses makes of a perfect
    film, and how much of the flicker is the camera's.

    Args:
        films: by name, e.g. FBF, FBF+TS, FBF+TS+FG, nearest neighbour; each (N, 3, T, H, W) in
            [-1, 1].
        truth: (N, 3, T, H, W) in [-1, 1], T at least 2.
        poses: its poses, (N, T, 18, 3), which the films were painted from.
        features: a network from ``perceptual``, best one that no model was trained on.
        reader: a keypoint network that trained no model; without it there are no ``pose distance``
            (pixels) and ``missed joints`` (a frame).
        face_size: side of the face crops in pixels, at least 11; a quarter of the height if not
            given.

    Returns:
        A row for each film. A number is NaN where there is nothing to measure, e.g. no face.

    Raises:
        ValueError: shapes that do not fit each other.
    """
    sizes = expect_shape("truth", truth, "N 3 T H W")
    expect_shape("poses", poses, f"{sizes['N']} {sizes['T']} 18 3")
    for name, film in films.items():
        expect_shape(f"films[{name!r}]", film, " ".join(map(str, truth.shape)))
    frame = {"height": sizes["H"], "width": sizes["W"]}
    face_size = face_size or max(WINDOW, round(FACE_SHARE * sizes["H"]))
    crops = {
        "body": body_boxes(poses, **frame),
        "face": face_boxes(poses, size=face_size, **frame),
    }
    measures: dict[str, Measure] = {
        "SSIM": ssim,
        "perceptual": functools.partial(perceptual_distance, features),
    }
    rows = []
    for name, film in {TRUTH: truth, **films}.items():
        row: Row = {"name": name}
        for place, (boxes, there) in crops.items():
            for metric, measure in measures.items():
                row[f"{place} {metric}"] = over_boxes(measure, film, truth, boxes, there)
        if reader is not None:
            places, found = read_joints(reader, film)
            row["pose distance"] = pose_distance(places, poses.cpu(), found).nanmean().item()
            row["missed joints"] = missed_joints(found, poses.cpu()).float().mean().item()
        row["flicker"] = flicker(film, truth)
        row["change error"] = change_error(film, truth)
        rows.append(row)
    return rows


def table(rows: Sequence[Row], columns: Sequence[str] | None = None, *, digits: int = 3) -> str:
    """Write rows as a Markdown table, the best number of each column in bold.

    Best is the largest SSIM, and the smallest of anything else. The true film does not compete,
    and a dash stands for what could not be measured.

    Args:
        rows: from :func:`compare`, or the paper's.
        columns: which metrics, in which order; those of the first row if not given.
        digits: after the point.

    Raises:
        ValueError: no rows, or a column that a row does not have.
    """
    if not rows:
        raise ValueError("rows: expected at least one, got none")
    columns = [key for key in rows[0] if key != "name"] if columns is None else columns
    best = {}
    for column in columns:
        for row in rows:
            if column not in row:
                raise ValueError(f"columns: {row['name']!r} has no {column!r}")
        numbers = [float(row[column]) for row in rows if row["name"] != TRUTH]
        choose = max if "SSIM" in column else min
        best[column] = choose((x for x in numbers if not math.isnan(x)), default=math.nan)
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for row in rows:
        cells = [
            _cell(float(row[column]), digits, row["name"] != TRUTH and row[column] == best[column])
            for column in columns
        ]
        lines.append(f"| {row['name']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(number: float, digits: int, bold: bool) -> str:
    if math.isnan(number):
        return "–"
    return f"**{number:.{digits}f}**" if bold else f"{number:.{digits}f}"
