"""What a check asks of an answer, and whether what came is what was expected.

A **probe** is data: arguments for the answer, and the name of a measure that says what to do with
them. The outcome of a measure is turned into plain JSON, so that it can be compared in another
process than the one the answer ran in. No probe holds code, and none a formula.
"""

from __future__ import annotations

import hashlib
import math
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from vidgen_lite.homework.networks import face_stage, players, replay

LARGEST = 20_000  # values of a tensor that are compared; no question asks for as many
RELATIVE, ABSOLUTE = 2e-4, 2e-5  # wide enough for float32 and another order of summing


class NotAnswered(Exception):
    """The cell is as it was handed out."""


# Values as JSON


def encode(value: Any) -> Any:
    """Turn an answer's result into JSON: tensors with their shape, numbers, text, lists, dicts.

    Whatever else came is only named: ``{"other": "Linear"}``.
    """
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Tensor):
        if value.numel() > LARGEST:
            return {"other": f"tensor of shape {tuple(value.shape)}"}
        numbers = value.detach().cpu().flatten().tolist()
        return {"shape": list(value.shape), "values": [_number(v) for v in numbers]}
    if type(value).__module__ == "numpy" and hasattr(value, "shape"):
        return encode(torch.as_tensor(value))
    if isinstance(value, Sequence):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {"items": {str(key): encode(item) for key, item in value.items()}}
    return {"other": type(value).__name__}


def decode(value: Any) -> Any:
    """The inverse of :func:`encode`; tensors come back as float32 or int64."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if isinstance(value, dict) and "shape" in value:
        numbers = [float(v) if isinstance(v, str) else v for v in value["values"]]
        return torch.tensor(numbers).reshape(value["shape"])
    if isinstance(value, dict) and "items" in value:
        return {key: decode(item) for key, item in value["items"].items()}
    return ... if value == {"other": "ellipsis"} else value


def _number(value: float) -> Any:
    """A number with seven digits; JSON has no infinity and no nan, so these are words."""
    if isinstance(value, bool | int):
        return value
    return float(f"{value:.7g}") if math.isfinite(value) else str(float(value))


# Measures


def call(answer: Any, args: list[Any]) -> Any:
    """What the answer returns; a note beside it where it changed what it was given."""
    before = encode(args)
    value = answer(*args)
    if encode(args) != before:
        return {"value": value, "the arguments were changed": True}
    return value


def gradient(answer: Any, args: list[Any]) -> Any:
    """The gradients of the summed result in every tensor of decimal numbers, also in lists."""
    inputs = [a.requires_grad_() for a in tensors(args) if a.is_floating_point()]
    value = answer(*args)
    if not isinstance(value, Tensor) or not value.requires_grad:
        return "no gradient"
    found = torch.autograd.grad(value.sum(), inputs, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True)]


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in lists of lists."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from tensors(item)


def value(answer: Any, args: list[Any]) -> Any:
    """The answer itself, which is no function."""
    return answer


def item(answer: Any, args: list[Any]) -> Any:
    """One entry of an answer that is a dict; ``args`` is its key."""
    return answer[args[0]]


def refuses(answer: Any, args: list[Any]) -> bool:
    """Whether the answer raises a ValueError."""
    try:
        answer(*args)
    except ValueError:
        return True
    return False


def change(answer: Any, args: list[Any]) -> Any:
    """Whether a change of settings keeps to the rules, in yes and no.

    ``args`` are the settings that may change, how many may change at once, and how many modes must
    have been found. The answer is ``{"change": {...}, "modes": number}``.
    """
    allowed, most, modes = args
    changed = dict(answer["change"])
    if not changed:
        raise NotAnswered
    return {
        f"changes only {', '.join(allowed)}": set(changed) <= set(allowed),
        f"changes at most {most} settings": len(changed) <= most,
        f"finds at least {modes} modes": int(answer["modes"]) >= modes,
    }


def words(answer: Any, args: list[Any]) -> Any:
    """Whether a written answer has at least so many words; a person marks what they say."""
    if not answer.strip():
        raise NotAnswered
    return len(answer.split()) >= args[0]


MEASURES: dict[str, Callable[[Any, list[Any]], Any]] = {
    "call": call,
    "gradient": gradient,
    "players": players,
    "face_stage": face_stage,
    "replay": replay,
    "value": value,
    "item": item,
    "refuses": refuses,
    "change": change,
    "words": words,
}


def outcome(answer: Any, probe: Mapping[str, Any]) -> dict[str, Any]:
    """Put a probe to an answer.

    Returns:
        ``{"value": ...}``, ``{"error": ..., "message": ..., "line": ...}`` where it raised, or
        ``{"missing": True}`` where the cell is as it was handed out.
    """
    try:
        if answer is None or answer is ... or (isinstance(answer, list) and ... in answer):
            raise NotAnswered
        found = MEASURES[probe["measure"]](answer, decode(probe["args"]))
        if found is None or found is ...:
            raise NotAnswered
        return {"value": encode(found)}
    except (NotImplementedError, NotAnswered):
        return {"missing": True}
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f.lineno for f in frames if f.name not in ("outcome", "too_long")]
        told = str(error).splitlines()[0][:200] if str(error) else ""
        return {"error": type(error).__name__, "message": told, "line": lines[-1] if lines else 0}


# Comparing


def same(expected: Any, came: Any) -> bool:
    """Whether two encoded values agree: equal shapes, and numbers up to rounding.

    A tensor without axes is as good as a number, and one with one axis as good as a list.
    ``{"between": [low, high]}`` accepts what lies there, and ``{"secret": ...}`` what has this
    fingerprint.
    """
    if isinstance(expected, dict) and "secret" in expected:
        return fingerprint(came) == expected["secret"]
    if isinstance(expected, dict) and "between" in expected:
        low, high = expected["between"]
        return (number := scalar(came)) is not None and low <= number <= high
    if (number := scalar(expected)) is not None:
        other = scalar(came)
        return other is not None and near(number, other)
    if isinstance(expected, dict) and isinstance(came, dict) and "shape" in expected:
        return expected["shape"] == came.get("shape") and all(
            near(float(a), float(b))
            for a, b in zip(expected["values"], came["values"], strict=True)
        )
    if isinstance(expected, dict) and isinstance(came, dict):
        if not all(isinstance(side.get("items"), dict) for side in (expected, came)):
            return expected == came
        here, there = expected["items"], came["items"]
        return here.keys() == there.keys() and all(same(here[key], there[key]) for key in here)
    if isinstance(expected, list) and isinstance(came, dict) and len(came.get("shape", ())) == 1:
        came = came["values"]
    if (
        isinstance(came, list)
        and isinstance(expected, dict)
        and len(expected.get("shape", ())) == 1
    ):
        expected = expected["values"]
    if isinstance(expected, list) and isinstance(came, list):
        pairs = zip(expected, came, strict=False)
        return len(expected) == len(came) and all(same(a, b) for a, b in pairs)
    return type(expected) is type(came) and expected == came


def fingerprint(value: Any) -> str:
    """A word by which an encoded value is known again, and from which it can't be read.

    For answers found by hand, whole numbers or words: (4, 4) and [4.0, 4] are one answer.
    """
    if isinstance(value, dict) and value.get("shape"):
        value = value["values"]
    if isinstance(value, list):
        return hashlib.sha256("|".join(map(fingerprint, value)).encode()).hexdigest()[:16]
    if (number := scalar(value)) is not None and number == round(number):
        value = round(number)
    return hashlib.sha256(f"vidgen {value}".encode()).hexdigest()[:16]


def scalar(value: Any) -> float | None:
    """The number that an encoded value is, or None."""
    if isinstance(value, dict) and value.get("shape") == []:
        value = value["values"][0]
    if isinstance(value, str) and value in ("nan", "inf", "-inf"):
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def near(a: float, b: float) -> bool:
    """Whether two numbers agree up to rounding; nan agrees with nan."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if math.isinf(a) or math.isinf(b):
        return a == b
    return abs(a - b) <= ABSOLUTE + RELATIVE * max(abs(a), abs(b))
