"""What is wrong with an argument is said in one line: its name, what was expected, what came."""

from __future__ import annotations

import math
import re

import pytest
import torch

from vidgen_lite.checks import expect_number, expect_range, expect_shape


@pytest.mark.parametrize(
    ("tensor", "shape", "told"),
    [
        (torch.zeros(18, 3), "T 18 3", "poses: expected (T, 18, 3), got (18, 3)"),
        (torch.zeros(3), "4", "poses: expected (4,), got (3,)"),
        (torch.zeros(()), "N", "poses: expected (N,), got ()"),
        (torch.zeros(2, 3), "N N", "poses: expected (N, N), got (2, 3)"),
    ],
)
def test_shapes_are_told_as_python_writes_them(tensor, shape: str, told: str):
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        expect_shape("poses", tensor, shape)


@pytest.mark.parametrize("values", [[0.0, 255.0], [-1.5, 0.0], [0.0, math.nan]])
def test_values_out_of_range_and_those_that_are_no_number_are_refused(values: list[float]):
    expect_range("video", torch.tensor([-1.0, 1.0]), -1, 1)
    with pytest.raises(ValueError, match=r"video: expected values in \[-1, 1\], got \["):
        expect_range("video", torch.tensor(values), -1, 1)


@pytest.mark.parametrize("value", [0, 1.0, -2, math.nan, math.inf, "0.5", None])
def test_a_number_lies_within_its_bounds(value: object):
    expect_number("mask_start", 0.5, above=0, below=1)
    expect_number("r1_weight", 0, at_least=0)
    told = f"mask_start: expected a number above 0 and below 1, got {value!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        expect_number("mask_start", value, above=0, below=1)
