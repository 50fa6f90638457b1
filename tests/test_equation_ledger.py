"""The equation ledger: each labelled equation of a chapter has a function and a second computation.

Chapters label equations as ``$$ ... $$ (eq:name)``; the function that computes one says
``Equation: eq:name`` in its docstring; ``tests/ledger/<lecture>.py`` recomputes it in NumPy.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from ledger import Entry

ROOT = Path(__file__).resolve().parent.parent
LABEL = re.compile(
    r"\$\$[ \t]*\((?P<dollars>[^)\n]+)\)[ \t]*$"  # $$ ... $$ (eq:name)
    r"|^:label:[ \t]*(?P<directive>eq:\S+)"  # of a math directive
    r"|\\label\{(?P<tex>[^}]+)\}",
    re.MULTILINE,
)
BLOCK = re.compile(r"^(`{3,})(\{[\w-]+\})?[^\n]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
CODE = (None, "{code}", "{code-block}", "{code-cell}")


# ---- What is written where -----------------------------------------------------------------------


def labels_in(chapter: str) -> list[str]:
    """Labels of equations in a chapter's text, in order."""
    return [next(filter(None, match.groups())) for match in LABEL.finditer(prose(chapter))]


def prose(text: str) -> str:
    """Text without blocks of code; formulas, exercises and notes in blocks stay."""
    return BLOCK.sub(lambda block: "" if block[2] in CODE else prose(block[3]), text)


def claims_in(source: str, module: str) -> list[tuple[str, str]]:
    """Pairs (label, function) for each ``Equation:`` line of a module's docstrings."""
    claims: list[tuple[str, str]] = []

    def visit(node: ast.AST, name: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{name}.{child.name}"
                lines = re.findall(
                    r"^\s*Equations?:\s*(.+?)\s*$", ast.get_docstring(child) or "", re.MULTILINE
                )
                labels = [label for line in lines for label in re.split(r"[,\s]+", line)]
                claims.extend((label, inner) for label in labels)
                visit(child, inner)

    visit(ast.parse(source), module)
    return claims


def ledger_faults(
    labels: list[str], claims: list[tuple[str, str]], entries: dict[str, str]
) -> list[str]:
    """What is missing between chapters, functions and entries (label to function)."""
    faults = [
        f"{label}: labels of equations begin with eq:" for label in labels if label[:3] != "eq:"
    ]
    faults += [f"{label}: labelled {n} times" for label, n in Counter(labels).items() if n > 1]
    owners = Counter(label for label, _ in claims)
    faults += [f"{label}: claimed by {n} functions" for label, n in owners.items() if n > 1]
    faults += [f"{label}: no function computes it" for label in labels if label not in owners]
    faults += [f"{label}: no entry in tests/ledger" for label in labels if label not in entries]
    faults += [
        f"{label}: {f} names it, no chapter has it" for label, f in claims if label not in labels
    ]
    faults += [
        f"{label}: in tests/ledger, no chapter has it" for label in entries if label not in labels
    ]
    faults += [
        f"{label}: {function} names it, tests/ledger recomputes {entries[label]}"
        for label, function in claims
        if entries.get(label, function) != function
    ]
    return faults


def the_labels() -> list[str]:
    chapters = sorted((ROOT / "book").glob("*.md"))
    return [label for path in chapters for label in labels_in(path.read_text(encoding="utf-8"))]


def the_claims() -> list[tuple[str, str]]:
    claims = []
    for path in sorted((ROOT / "vidgen_lite").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        claims += claims_in(path.read_text(encoding="utf-8"), module)
    return claims


def the_entries() -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for path in sorted((ROOT / "tests" / "ledger").glob("[!_]*.py")):
        ledger = importlib.import_module(f"ledger.{path.stem}").LEDGER
        assert not entries.keys() & ledger.keys(), "one label in two files"
        entries |= ledger
    return entries


ENTRIES = the_entries()


def full_name(function: object) -> str:
    return f"{function.__module__}.{function.__qualname__}"


# ---- The course's equations ----------------------------------------------------------------------


def test_every_equation_has_a_function_and_an_entry_and_nothing_else_has():
    entries = {label: full_name(entry.function) for label, entry in ENTRIES.items()}
    assert ledger_faults(the_labels(), the_claims(), entries) == []


def tensors(entry: Entry) -> dict[str, torch.Tensor]:
    """The inputs in float64, ready for gradients."""
    return {
        name: torch.tensor(array, requires_grad=name not in entry.fixed)
        for name, array in entry.inputs.items()
    }


@pytest.mark.parametrize("label", ENTRIES)
def test_the_function_gives_the_value_of(label: str):
    entry = ENTRIES[label]
    assert all(array.dtype == np.float64 for array in entry.inputs.values())
    computed = entry.computed(entry.function, **tensors(entry)).detach().numpy()
    recomputed = np.asarray(entry.recomputed(**entry.inputs))
    assert computed.shape == recomputed.shape
    np.testing.assert_allclose(computed, recomputed, rtol=1e-9, atol=1e-12)


def finite_differences(entry: Entry, name: str, weights: np.ndarray, step: float = 1e-5):
    """The gradient of a weighted sum of the recomputed values, for one input."""
    gradient = np.zeros_like(entry.inputs[name])
    for index in np.ndindex(gradient.shape):
        sides = []
        for sign in (1, -1):
            inputs = {key: array.copy() for key, array in entry.inputs.items()}
            inputs[name][index] += sign * step
            sides.append((weights * entry.recomputed(**inputs)).sum())
        gradient[index] = (sides[0] - sides[1]) / (2 * step)
    return gradient


@pytest.mark.parametrize("label", ENTRIES)
def test_the_function_has_the_gradient_of(label: str):
    entry = ENTRIES[label]
    inputs = tensors(entry)
    values = entry.computed(entry.function, **inputs)
    weights = np.random.default_rng(0).uniform(0.5, 1.5, tuple(values.shape))
    wanted = {name: tensor for name, tensor in inputs.items() if tensor.requires_grad}
    total = (values * torch.from_numpy(weights)).sum()
    for name, gradient in zip(wanted, torch.autograd.grad(total, wanted.values()), strict=True):
        expected = finite_differences(entry, name, weights)
        np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-5, atol=1e-8, err_msg=name)


# ---- The ledger notices --------------------------------------------------------------------------

CHAPTER = """
$$
a = b
$$ (eq:a)

$$ c = d $$ (eq:c)

````{exercise}
:label: not-an-equation
$$
e = f
$$ (eq:e)
```
$$ a print-out $$ (eq:code)
```
````

```{math}
:label: eq:g
g = h
```

```python
"$$ (eq:code)"
```
"""
MODULE = '''
def a():
    """Do it.

    Equation: eq:a
    Equation: eq:c
    """

class B:
    """Another.

    Equation: eq:e
    """

    def g(self):
        """Equation: eq:g"""
'''
LABELS = ["eq:a", "eq:c", "eq:e", "eq:g"]
CLAIMS = [("eq:a", "m.a"), ("eq:c", "m.a"), ("eq:e", "m.B"), ("eq:g", "m.B.g")]


def test_labels_are_found_in_formulas_and_not_in_code():
    assert labels_in(CHAPTER) == LABELS


def test_claims_are_found_in_docstrings_of_functions_classes_and_methods():
    assert claims_in(MODULE, "m") == CLAIMS


def test_a_complete_ledger_has_no_faults():
    assert ledger_faults(LABELS, CLAIMS, dict(CLAIMS)) == []


@pytest.mark.parametrize(
    ("labels", "claims", "entries", "fault"),
    [
        (LABELS, CLAIMS[1:], dict(CLAIMS), "eq:a: no function computes it"),
        (LABELS, CLAIMS, dict(CLAIMS[1:]), "eq:a: no entry in tests/ledger"),
        (LABELS[1:], CLAIMS, dict(CLAIMS), "eq:a: m.a names it, no chapter has it"),
        (LABELS[1:], CLAIMS[1:], dict(CLAIMS), "eq:a: in tests/ledger, no chapter has it"),
        ([*LABELS, "eq:a"], CLAIMS, dict(CLAIMS), "eq:a: labelled 2 times"),
        (LABELS, [*CLAIMS, ("eq:a", "m.B")], dict(CLAIMS), "eq:a: claimed by 2 functions"),
        (
            LABELS,
            CLAIMS,
            {**dict(CLAIMS), "eq:a": "m.x"},
            "eq:a: m.a names it, tests/ledger recomputes m.x",
        ),
        ([*LABELS, "loss"], CLAIMS, dict(CLAIMS), "loss: labels of equations begin with eq:"),
    ],
)
def test_the_ledger_notices(labels, claims, entries, fault):
    assert fault in ledger_faults(labels, claims, entries)
