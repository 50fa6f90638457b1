"""Words for an answer that fails: what was expected, what came, and a hint that fits the mistake.

Typical mistakes of a question are known by what they make of its probes. Others are met by looking
at how the numbers that came differ from those that were expected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vidgen_lite.homework.probes import same, scalar

BY_HAND = "Work through this one case by hand, and compare each intermediate result."
NOTHING = "There is no answer yet: the cell is as it was handed out."


def failing(question: Mapping[str, Any], outcomes: list[dict[str, Any]]) -> list[int]:
    """The numbers of the probes that the answer does not meet."""
    return [
        i
        for i, (probe, came) in enumerate(zip(question["probes"], outcomes, strict=True))
        if "value" not in came or not same(probe["expected"], came["value"])
    ]


def explain(question: Mapping[str, Any], outcomes: list[dict[str, Any]]) -> str:
    """Say what went wrong at the first probe that is not met, and what may be behind it.

    Args:
        question: with its ``probes`` and the outcomes of typical ``mistakes``.
        outcomes: what came, one a probe.

    Returns:
        Some lines of text; empty if every probe is met.
    """
    wrong = failing(question, outcomes)
    if not wrong:
        return ""
    if all("missing" in came for came in outcomes):
        return NOTHING
    probe, came = question["probes"][wrong[0]], outcomes[wrong[0]]
    lines = [f"At: {probe['title']}"]
    told = came.get("value", "an error" if "error" in came else "nothing")
    lines += _where_different(probe["expected"], told)
    lines.append(f"Hint: {_known(question, outcomes) or general(probe['expected'], came)}")
    return "\n".join(lines)


def _known(question: Mapping[str, Any], outcomes: list[dict[str, Any]]) -> str | None:
    """The hint of the typical mistake that gives the same outcomes, at all probes or nearly so."""
    best, fit = None, 0.0
    wrong = failing(question, outcomes)
    for mistake in question["mistakes"]:
        alike = [_alike(a, b) for a, b in zip(mistake["outcomes"], outcomes, strict=True)]
        whole = all(
            alike[i] if i in wrong else known is None for i, known in enumerate(mistake["outcomes"])
        )
        share = sum(alike[i] for i in wrong) / len(wrong) + whole
        if alike[wrong[0]] and share > fit:
            best, fit = mistake["hint"], share
    return best


def _alike(known: dict[str, Any] | None, came: dict[str, Any]) -> bool:
    """Whether a mistake's outcome, None where it is right, is what came."""
    if known is None:
        return False
    if "error" in known:
        return known["error"] == came.get("error")
    return "value" in came and same(known["value"], came["value"])


def general(expected: Any, came: dict[str, Any]) -> str:
    """A hint for a mistake that nobody foresaw, from how the two values differ."""
    if "missing" in came:
        return "Nothing is here yet. (If it is a function: does every way end with a return?)"
    if "error" in came:
        return f"It raised {came['error']}: {came['message']} (line {came['line']} of its cell)."
    value = came["value"]
    if isinstance(value, dict) and "the arguments were changed" in value.get("items", {}):
        return "Your code changes the tensors that it is given. Compute new ones instead."
    if value == "no gradient":
        return (
            "No gradient flows back from the result: somewhere on the way it became a plain number "
            "(.item(), float, NumPy) or was detached."
        )
    if isinstance(expected, dict) and ("secret" in expected or "between" in expected):
        return "Go through it once more, step by step; a small sketch helps."
    if isinstance(expected, dict) and isinstance(value, dict) and "items" in expected:
        here, there = expected["items"], value.get("items", {})
        for key in here:
            if not same(here[key], there.get(key)):
                return f"{key}: {general(here[key], {'value': there.get(key)})}"
    if isinstance(expected, bool):
        return "This rule is not kept."
    return _numbers_hint(expected, value)


def _numbers_hint(expected: Any, came: Any) -> str:
    shape, got = _shape(expected), _shape(came)
    if got is None:
        return f"Expected numbers, and what came is {show(came)}."
    if shape != got:
        if shape == []:
            return f"Expected one number; what came has shape {tuple(got)} and is not reduced yet."
        if got == []:
            return f"Expected shape {tuple(shape or ())}; the result was reduced to one number."
        return f"The shape is {tuple(got)}, and should be {tuple(shape or ())}. Look at the axes."
    a, b = _flat(expected), _flat(came)
    if any(not math.isfinite(y) and math.isfinite(x) for x, y in zip(a, b, strict=True)):
        return (
            "The result is infinite or not a number: an exponential or a logarithm left the range "
            "of float32 on the way."
        )
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if abs(x) > 1e-6]
    ratios = [y / x for x, y in pairs]
    if len(pairs) == len(a) and ratios and max(ratios) - min(ratios) < 1e-3 * abs(ratios[0]):
        if abs(ratios[0] + 1) < 1e-3:
            return "The size is right and the sign is not."
        if len(a) == 1 and not _simple(ratios[0]):
            return BY_HAND
        return f"It is {ratios[0]:.3g} times what was expected: a factor, or a sum for a mean?"
    shifts = [y - x for x, y in zip(a, b, strict=True)]
    if len(a) > 1 and max(shifts) - min(shifts) < 1e-4:
        return f"It is off by {shifts[0]:.4g} everywhere: a constant."
    if len(a) > 1 and all(abs(x - y) < 1e-4 for x, y in zip(sorted(a), sorted(b), strict=True)):
        return "The values are right and stand in another order."
    return BY_HAND


def _simple(ratio: float) -> bool:
    """Whether a single number's factor is a whole number or one divided by one."""
    sizes = (abs(ratio), 1 / max(abs(ratio), 1e-6))
    return any(abs(x - round(x)) < 1e-3 and 2 <= x <= 4096 for x in sizes)


def _shape(value: Any) -> list[int] | None:
    if scalar(value) is not None:
        return []
    if isinstance(value, list) and all(scalar(item) is not None for item in value):
        return [len(value)]
    return value.get("shape") if isinstance(value, dict) else None


def _flat(value: Any) -> list[float]:
    if (number := scalar(value)) is not None:
        return [number]
    numbers = map(scalar, value["values"] if isinstance(value, dict) else value)
    return [number for number in numbers if number is not None]


# Showing values


def _where_different(expected: Any, came: Any) -> list[str]:
    """One line with both values, or one for each named value in which they differ."""
    if isinstance(expected, dict) and "secret" in expected:
        return [f"    came {show(came)}, which is not it"]
    if isinstance(expected, dict) and "items" in expected and isinstance(came, dict):
        here, there = expected["items"], came.get("items", {})
        return [
            f"    {key}: expected {show(here[key])}, came {show(there.get(key))}"
            for key in here
            if not same(here[key], there.get(key))
        ]
    return [f"    expected {show(expected)}, came {show(came)}"]


def show(value: Any) -> str:
    """An encoded value in a few words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if (number := scalar(value)) is not None:
        return f"{number:.0f}" if number.is_integer() and abs(number) < 1e9 else f"{number:.5g}"
    if isinstance(value, dict) and "between" in value:
        low, high = value["between"]
        return f"a number from {low:.4g} to {high:.4g}"
    if isinstance(value, dict) and "shape" in value:
        first = ", ".join(f"{float(v):.4g}" for v in value["values"][:6])
        more = ", ..." if len(value["values"]) > 6 else ""
        return f"[{first}{more}] of shape {tuple(value['shape'])}"
    if isinstance(value, dict) and "other" in value:
        return f"a {value['other']}"
    if isinstance(value, dict) and "items" in value:
        return "; ".join(f"{key}: {show(item)}" for key, item in value["items"].items())
    if isinstance(value, list):
        return f"[{', '.join(show(item) for item in value)}]"
    return "nothing" if value is None else str(value)[:200]
