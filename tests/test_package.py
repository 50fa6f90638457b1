"""The package as a whole: light to import, layered, documented, and honest about what it needs."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import vidgen_lite

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "notebooks"))

from sources import imports  # noqa: E402

LECTURES = ("gan_objective", "scene_dynamics", "pose_futures", "everybody_dance_now")
# What is loaded only by the function that needs it.
HEAVY = ("accelerate", "matplotlib", "imageio", "imageio_ffmpeg", "ipywidgets", "IPython", "PIL")


def module_name(path: Path) -> str:
    """The dotted name of one of the library's files."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted((ROOT / "vidgen_lite").rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}
# All but the command line, which stands above all other modules.
MODULES = [name for name in FILES if name != "vidgen_lite.__main__"]


def imported(name: str) -> set[str]:
    """Dotted names that a module of the library imports, wherever in it."""
    package = name if FILES[name].name == "__init__.py" else name.rpartition(".")[0]
    return imports(TREES[name], package)


# ---- Layers --------------------------------------------------------------------------------------


def lecture(name: str) -> int | None:
    """The number of the lecture (from 0) that a dotted name belongs to; None in shared rooms."""
    parts = name.split(".")
    belongs = parts[0] == "vidgen_lite" and len(parts) > 1 and parts[1] in LECTURES
    return LECTURES.index(parts[1]) if belongs else None


def layering_faults(name: str, names: set[str]) -> list[str]:
    """The lectures that a module imports and must not: later ones; in a shared room, any."""
    own = lecture(name)
    highest = -1 if own is None else own
    return [
        f"{name} imports {other}"
        for other in sorted(names)
        if (number := lecture(other)) is not None and number > highest
    ]


@pytest.mark.parametrize("name", MODULES)
def test_no_lecture_imports_a_later_one_and_no_shared_room_imports_a_lecture(name: str):
    assert layering_faults(name, imported(name)) == []


@pytest.mark.parametrize(
    ("name", "package", "code"),
    [
        ("vidgen_lite.scene_dynamics.steps", "vidgen_lite.scene_dynamics", "from .. import {3}"),
        ("vidgen_lite.gan_objective", "vidgen_lite", "def f(): from .{2} import networks"),
        ("vidgen_lite.training", "vidgen_lite", "import vidgen_lite.{1}.steps as steps"),
        ("vidgen_lite.data.video", "vidgen_lite.data", "from ..{1} import losses"),
        ("vidgen_lite", "vidgen_lite", "from . import {1}"),
    ],
)
def test_a_module_that_reaches_up_is_found(name: str, package: str, code: str):
    code = code.format(None, *LECTURES)
    assert layering_faults(name, imports(ast.parse(code), package)) != []


@pytest.mark.parametrize("code", ["from ..{1} import losses", "from . import networks"])
def test_a_lecture_may_import_an_earlier_one_and_itself(code: str):
    names = imports(ast.parse(code.format(None, *LECTURES)), "vidgen_lite.scene_dynamics")
    assert layering_faults("vidgen_lite.scene_dynamics.steps", names) == []


# ---- What it needs -------------------------------------------------------------------------------


# Packages that come with declared ones, on Colab too: through ipywidgets and through matplotlib.
BROUGHT = {"IPython", "PIL"}


def test_the_library_imports_only_what_it_declares():
    needs = map(Requirement, importlib.metadata.requires("vidgen-lite") or [])
    ours = [n for n in needs if not n.marker or re.search("pose|vgg", str(n.marker))]
    declared = {need.name.replace("-", "_") for need in ours} | BROUGHT
    used = {name.partition(".")[0] for module in FILES for name in imported(module)}
    assert used - set(sys.stdlib_module_names) - {"vidgen_lite"} <= declared


def test_the_version_is_the_installed_one():
    assert vidgen_lite.__version__ == importlib.metadata.version("vidgen-lite")


# ---- What importing costs ------------------------------------------------------------------------


def python(code: str) -> str:
    """What a new Python process prints that runs this code."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Processor time in one process, so that a busy machine slows all parts alike.
TIMED = """
import time
begin = time.process_time()
import torch
middle = time.process_time()
import vidgen_lite
package = time.process_time()
import vidgen_lite.LECTURE
lecture = time.process_time()
print((package - begin) / (middle - begin), (lecture - begin) / (middle - begin))
"""


@pytest.mark.parametrize("name", LECTURES)
def test_importing_a_lecture_costs_hardly_more_than_importing_torch(name: str):
    code = TIMED.replace("LECTURE", name)
    runs = [map(float, python(code).split()) for _ in range(3)]
    package, lecture = map(statistics.median, zip(*runs, strict=True))
    assert package <= 1.02
    assert lecture <= 1.1


def test_no_module_imports_what_only_some_functions_need():
    code = f"""
import importlib, json, sys, torch
before, found = set(sys.modules), {{}}
for name in {MODULES}:
    importlib.import_module(name)
    found[name] = sorted(set({HEAVY}) & (set(sys.modules) - before))
    before |= set(sys.modules)
print(json.dumps({{name: heavy for name, heavy in found.items() if heavy}}))
"""
    assert json.loads(python(code)) == {}


def test_importing_the_package_imports_no_module_of_it():
    code = "import sys, vidgen_lite; print([m for m in sys.modules if m.startswith('vidgen_lite')])"
    assert python(code).strip() == "['vidgen_lite']"


# ---- Words ---------------------------------------------------------------------------------------


def undocumented(tree: ast.Module) -> list[str]:
    """The public functions and classes of a module, and the module itself, without a docstring."""
    public = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    names = ["the module"] if ast.get_docstring(tree) is None else []
    return names + [node.name for node in public if ast.get_docstring(node) is None]


@pytest.mark.parametrize("name", FILES)
def test_everything_public_has_a_docstring(name: str):
    assert undocumented(TREES[name]) == []


def test_a_missing_docstring_is_found():
    code = "def f(): ...\nclass C: ...\ndef _g(): ...\ndef h():\n    'Doc.'"
    assert undocumented(ast.parse(code)) == ["the module", "f", "C"]
