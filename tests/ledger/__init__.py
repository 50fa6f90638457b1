"""The equation ledger: every labelled equation, computed twice.

A lecture's file in this folder has a dict ``LEDGER``: the equation's label, and an :class:`Entry`
with the library's function and a second computation in plain float64 NumPy, written from the
chapter's formula and not from the code. ``tests/test_equation_ledger.py`` compares the two, value
and gradient, and sees to it that no equation is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One equation.

    Attributes:
        function: the library's function; its docstring says ``Equation: <label>``.
        computed: calls it: takes ``function`` and the inputs as float64 tensors, and returns the
            equation's left side as a tensor.
        recomputed: the equation in NumPy: takes the inputs as arrays, returns an array.
        inputs: the arrays, by name.
        fixed: names of inputs for which there is no gradient to compare.
    """

    function: Callable[..., Any]
    computed: Callable[..., Any]
    recomputed: Callable[..., Any]
    inputs: dict[str, np.ndarray]
    fixed: frozenset[str] = field(default=frozenset())
