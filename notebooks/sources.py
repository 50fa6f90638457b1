"""What a notebook's outputs depend on: its own code and the library's modules that it reaches.

Outputs are stale when ``combined(source_hashes(notebook))`` differs from the one written into the
notebook's metadata when it ran. Comments, docstrings and layout do not count, nor do modules that
the notebook never imports, directly or through another. (A module named only at run time, through
``importlib``, is not seen.)
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = "vidgen_lite"


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The notebook's code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: NotebookNode) -> list[str]:
    """The tags of a cell."""
    return cell.metadata.get("tags", [])


def cell_tree(source: str) -> ast.Module:
    """Parse a cell; magics such as ``%pip`` become the calls that IPython makes of them."""
    from IPython.core.inputtransformer2 import TransformerManager

    return ast.parse(TransformerManager().transform_cell(source))


def imports(tree: ast.AST, package: str = "") -> set[str]:
    """Dotted names that a piece of code imports anywhere in it, inside functions too.

    ``from a import b`` gives ``a`` and ``a.b``, since ``b`` may be a module. ``package`` is the
    package that relative imports start from.
    """
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            above = parents[: len(parents) - node.level + 1] if node.level else []
            base = ".".join([*above, node.module] if node.module else above)
            found.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    return found


def module_file(name: str, root: Path = ROOT) -> Path | None:
    """The file of one of the library's modules or packages, or None if there is no such module."""
    stem = root.joinpath(*name.split("."))
    candidates = (stem / "__init__.py", stem.with_name(stem.name + ".py"))
    return next((path for path in candidates if path.is_file()), None)


def reachable_modules(names: Iterable[str], root: Path = ROOT) -> dict[str, ast.Module]:
    """The library's modules that importing these names runs, directly or through each other."""
    modules: dict[str, ast.Module] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        path = module_file(name, root) if name.split(".")[0] == LIBRARY else None
        if path is None or name in modules:
            continue
        modules[name] = ast.parse(path.read_text(encoding="utf-8"))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += [*imports(modules[name], package), name.rpartition(".")[0]]
    return modules


def canonical(node: Any) -> Any:
    """A syntax tree as nested tuples: no docstrings, no positions, the same on every Python.

    ``ast.dump`` would not do: what it prints for an empty field depends on Python's version.
    """
    if isinstance(node, list):
        return [canonical(item) for item in node if not is_version(item)]
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
        fields["body"] = node.body[ast.get_docstring(node, clean=False) is not None :]
    if isinstance(node, ast.JoinedStr):  # some Pythons end an f-string with an empty piece
        fields["values"] = [v for v in node.values if getattr(v, "value", None) != ""]
    kept = {name: canonical(value) for name, value in fields.items() if name != "kind"}
    return type(node).__name__, [(n, v) for n, v in kept.items() if v is not None and v != []]


def is_version(node: Any) -> bool:
    """Whether a statement only sets ``__version__``, which no output depends on."""
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"


def source_hashes(notebook: NotebookNode, root: Path = ROOT) -> dict[str, str]:
    """sha256 of the notebook's code (``cells``) and of each module of the library it reaches."""
    cells = [cell_tree(cell.source) for cell in code_cells(notebook)]
    modules = reachable_modules(set().union(*map(imports, cells)), root)
    # A cell whose first line is a string shows it: that is no docstring.
    parts = {"cells": [canonical(tree.body) for tree in cells]}
    parts |= {name: canonical(modules[name]) for name in sorted(modules)}
    return {name: hashlib.sha256(repr(part).encode()).hexdigest() for name, part in parts.items()}


def combined(hashes: dict[str, str]) -> str:
    """One sha256 for all the parts that ``source_hashes`` returns."""
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()
