"""The published notebooks: run in order, fresh, portable, small; and each of these checks rejects.

The notebooks themselves are run by nbval, as a command of its own (``make test``).
"""

from __future__ import annotations

import ast
import datetime
import difflib
import re
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbval.plugin import comment_markers, metadata_tags

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "notebooks"))

import execute  # noqa: E402
import sources  # noqa: E402
from sources import cell_tree, code_cells, tags  # noqa: E402

# Those of the homework are handed out as they are, without outputs (tests/test_homework.py).
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]_*.ipynb"))
ADDRESS = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
LARGEST = 3_000_000  # bytes, of one notebook with all its media
HOME = "/".join(["", "home", "someone"])  # a path of somebody's machine


# ---- The checks: each returns what is wrong with a notebook --------------------------------------


def order_faults(notebook: NotebookNode) -> list[str]:
    """Every code cell was run, once, from first to last."""
    counts = [cell.execution_count for cell in code_cells(notebook)]
    wanted = list(range(1, len(counts) + 1))
    return [] if counts == wanted else [f"cells ran as {counts}; expected 1 to {len(counts)}"]


def looks_like_marker(words: str) -> bool:
    """Whether a comment or tag was surely meant for nbval, however it is spelt."""
    key = re.sub(r"[^A-Z]+", "_", words.upper()).strip("_")
    return "NBVAL" in key or bool(difflib.get_close_matches(key, comment_markers, cutoff=0.85))


def marker_faults(notebook: NotebookNode) -> list[str]:
    """Whatever is meant for nbval is spelt as nbval reads it: alone on its line, or a known tag."""
    faults = []
    for cell in notebook.cells:
        for line in cell.source.splitlines():
            code, mark, comment = line.partition("#")
            comment = comment.lstrip("#").strip()
            known = comment in comment_markers and not code.strip() and cell.cell_type == "code"
            if mark and looks_like_marker(comment) and not known:
                faults.append(f"nbval does not understand {line.strip()!r}")
        for tag in tags(cell):
            if looks_like_marker(tag) and tag not in metadata_tags:
                faults.append(f"nbval does not understand the tag {tag!r}")
    return faults


def nbval_options(cell: NotebookNode) -> set[str]:
    """What a cell asks of nbval, by comment or by tag, as the comment's word."""
    comments = {line.strip().lstrip("#").strip() for line in cell.source.splitlines()}
    return {tag.upper().replace("-", "_") for tag in tags(cell)} | comments


def stored_output_faults(notebook: NotebookNode) -> list[str]:
    """A cell whose output nbval compares has an output to compare with."""
    return [
        f"marked NBVAL_CHECK_OUTPUT, but no output is stored: {cell.source[:60]!r}"
        for cell in code_cells(notebook)
        if "NBVAL_CHECK_OUTPUT" in nbval_options(cell) and not cell.outputs
    ]


def stale_faults(notebook: NotebookNode) -> list[str]:
    """The outputs were made by the code as it is now."""
    stamp = notebook.metadata.get("vidgen", {})
    now = sources.source_hashes(notebook)
    if stamp.get("sources") == sources.combined(now):
        return []
    then = stamp.get("modules", {})
    changed = [name for name in now.keys() | then.keys() if now.get(name) != then.get(name)]
    return [f"outputs of older code (changed: {sorted(changed)}); run `make notebooks` anew"]


def stamp_faults(notebook: NotebookNode) -> list[str]:
    """The notebook says what ran where, and it was the laptop preset."""
    stamp = notebook.metadata.get("vidgen")
    if stamp is None:
        return ["no record of its run; run `make notebooks`"]
    faults = []
    if stamp.get("preset") != "laptop":
        faults.append(f"preset {stamp.get('preset')!r}; pages show the laptop preset")
    if not all(
        stamp.get("versions", {}).get(n) for n in ("python", "torch", "numpy", "vidgen_lite")
    ):
        faults.append(f"versions {stamp.get('versions')}")
    if not stamp.get("seconds", 0) > 0:
        faults.append(f"seconds {stamp.get('seconds')}")
    if not stamp.get("device"):
        faults.append("no device")
    try:
        datetime.date.fromisoformat(stamp.get("date", ""))
    except ValueError:
        faults.append(f"date {stamp.get('date')!r}")
    if stamp.get("checks") != sum("check" in tags(cell) for cell in code_cells(notebook)):
        faults.append(f"{stamp.get('checks')} checks recorded, other than there are tagged cells")
    return faults


def size_faults(notebook: NotebookNode) -> list[str]:
    """The notebook with its pictures, clips and widgets stays light."""
    size = len(nbformat.writes(notebook).encode())
    weights = [len(str(cell.get("outputs", ""))) for cell in notebook.cells]
    heaviest = max(range(len(weights)), key=weights.__getitem__)
    fault = f"{size} bytes, more than {LARGEST}; cell {heaviest} alone holds {weights[heaviest]}"
    return [fault] if size > LARGEST else []


def path_faults(notebook: NotebookNode) -> list[str]:
    """No text of the notebook, shown or hidden, names a folder of the machine it ran on."""
    found: list[str] = []

    def look(text: str) -> str:
        found.extend(match[0] for match in execute.MACHINE_PATH.finditer(text))
        return text

    execute.each_text(notebook, look)
    return [f"a path of one machine: {path}" for path in found]


def error_faults(notebook: NotebookNode) -> list[str]:
    """No stored output is an error."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    faults = [f"{out.ename}: {out.evalue}" for out in outputs if out.output_type == "error"]
    return faults + [
        "a printed traceback" for out in outputs if "Traceback (" in out.get("text", "")
    ]


def install_faults(notebook: NotebookNode) -> list[str]:
    """The first code cell installs the course where it is missing, and nothing else is installed.

    A failing ``%pip`` does not stop a cell, so the import is tried again right after it.
    """
    cells = code_cells(notebook)
    installs = [
        line for cell in cells for line in cell.source.splitlines() if "pip install" in line
    ]
    faults = [
        f"installs from elsewhere than _config.yml says ({ADDRESS}): {line.strip()!r}"
        for line in installs
        if not re.search(rf"%pip install -q git\+{re.escape(ADDRESS)}(\.git)?$", line)
    ]
    match cell_tree(cells[0].source).body:
        case [
            ast.Try(
                body=[ast.Import(names=[ast.alias(name="vidgen_lite")])],
                handlers=[
                    ast.ExceptHandler(
                        type=ast.Name(id="ImportError"),
                        body=[ast.Expr(), ast.Import(names=[ast.alias(name="vidgen_lite")])],
                    )
                ],
            ),
            *_,
        ] if len(installs) == 1 and installs[0] in cells[0].source:
            return faults
    return [*faults, "the first code cell is not the install guard (try, except, %pip, import)"]


def judgement_faults(notebook: NotebookNode) -> list[str]:
    """Sections are judged: cells tagged ``check`` exist, say something, and are never skipped."""
    faults = []
    checks = [cell for cell in code_cells(notebook) if "check" in tags(cell)]
    if not checks:
        faults.append("no cell is tagged check")
    for cell in checks:
        if not any(output.output_type == "stream" for output in cell.outputs):
            faults.append(f"a check that prints no judgement: {cell.source[:60]!r}")
        if nbval_options(cell) & {"NBVAL_SKIP", "NBVAL_RAISES_EXCEPTION", "RAISES_EXCEPTION"}:
            faults.append(f"a check that nbval does not hold: {cell.source[:60]!r}")
    for cell in code_cells(notebook):
        judges = any(isinstance(node, ast.Assert) for node in cell_tree(cell.source).body)
        if judges and "check" not in tags(cell):
            faults.append(f"asserts, but is not tagged check: {cell.source[:60]!r}")
    return faults


Check = Callable[[NotebookNode], list[str]]
CHECKS: list[Check] = [
    order_faults,
    marker_faults,
    stored_output_faults,
    stale_faults,
    stamp_faults,
    size_faults,
    path_faults,
    error_faults,
    install_faults,
    judgement_faults,
]


# ---- The course's notebooks ----------------------------------------------------------------------


def test_every_chapter_has_its_notebook_and_every_notebook_its_chapter():
    chapters = {path.stem for path in (ROOT / "book").glob("[0-9]_*.md")}
    assert chapters
    assert {path.stem for path in (ROOT / "notebooks").glob("[0-9]_*.ipynb")} == chapters


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_published_notebook_has_no(path: Path, check: Check):
    assert check(nbformat.read(path, as_version=4)) == []


# ---- Each check accepts a good notebook and rejects a bad one ------------------------------------

GUARD = f"""try:
    import vidgen_lite
except ImportError:
    %pip install -q git+{ADDRESS}.git
    import vidgen_lite"""
CHECKED = "# NBVAL_CHECK_OUTPUT\nprint(os.environ['VIDGEN_PRESET'], os.listdir())"


def sample(*sources: str) -> NotebookNode:
    """A notebook that has not run: the guard, these cells and a check."""
    cells = [new_code_cell(source) for source in (GUARD, *sources)]
    check = new_code_cell(
        "assert 1 + 1 == 2\nprint('sums work: yes')", metadata={"tags": ["check"]}
    )
    return new_notebook(cells=[new_markdown_cell("# Sample"), *cells, check])


@pytest.fixture
def good() -> NotebookNode:
    """The sample as execute.py leaves it (tests/test_execute.py really runs it)."""
    notebook = sample(CHECKED)
    for count, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = count
    checked_cell(notebook).outputs = [new_output("stream", text="laptop []\n")]
    check_cell(notebook).outputs = [new_output("stream", text="sums work: yes\n")]
    hashes = sources.source_hashes(notebook)
    notebook.metadata.vidgen = nbformat.from_dict(
        {
            "preset": "laptop",
            "date": "2026-01-31",
            "device": "2-core CPU",
            "versions": {"python": "3.12.1", "torch": "2.9", "numpy": "2.1", "vidgen_lite": "0.1"},
            "seconds": 1.5,
            "checks": 1,
            "sources": sources.combined(hashes),
            "modules": hashes,
        }
    )
    return notebook


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_good_notebook_has_no(good: NotebookNode, check: Check):
    assert check(good) == []


def checked_cell(notebook: NotebookNode) -> NotebookNode:
    """The sample's cell whose output nbval compares."""
    return next(cell for cell in code_cells(notebook) if cell.source == CHECKED)


def check_cell(notebook: NotebookNode) -> NotebookNode:
    """The sample's cell that is tagged check."""
    return code_cells(notebook)[-1]


def spoil_source(pick: Callable[[NotebookNode], NotebookNode], old: str, new: str):
    """A change of one cell's source."""

    def spoil(notebook: NotebookNode) -> None:
        cell = pick(notebook)
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return spoil


def spoil_marker(new: str):
    """Another spelling of the marker of the checked cell."""
    return spoil_source(checked_cell, "# NBVAL_CHECK_OUTPUT", new)


def spoil_guard(old: str, new: str):
    """Another install guard."""
    return spoil_source(lambda notebook: code_cells(notebook)[0], old, new)


def spoil_tags(*new: str):
    """Other tags of the check cell."""
    return lambda notebook: check_cell(notebook).metadata.update(tags=list(new))


def spoil_stamp(**new: object):
    """Another record of the run."""
    return lambda notebook: notebook.metadata.vidgen.update(new)


def show(text: str):
    """Another output of the check cell."""
    return lambda notebook: check_cell(notebook).outputs.append(
        new_output("display_data", {"text/html": text})
    )


def fail(notebook: NotebookNode) -> None:
    """A cell that ended in an error."""
    error = new_output("error", ename="ValueError", evalue="poses", traceback=[])
    check_cell(notebook).outputs.append(error)


BAD: dict[str, tuple[Check, Callable[[NotebookNode], object], str]] = {
    "a cell that never ran": (
        order_faults,
        lambda nb: code_cells(nb)[1].update(execution_count=None),
        "expected 1 to 3",
    ),
    "cells run out of order": (
        order_faults,
        lambda nb: nb.cells.insert(1, nb.cells.pop(2)),
        "expected 1 to 3",
    ),
    "a checked cell without a stored output": (
        stored_output_faults,
        lambda nb: checked_cell(nb).update(outputs=[]),
        "no output is stored",
    ),
    "a cell checked by its tag without a stored output": (
        stored_output_faults,
        lambda nb: code_cells(nb)[0].metadata.update(tags=["nbval-check-output"]),
        "no output is stored",
    ),
    "letters swapped": (marker_faults, spoil_marker("# NVBAL_CHECK_OUTPUT"), "understand"),
    "a letter left out": (marker_faults, spoil_marker("# NBVAL_CHECK_OUPUT"), "understand"),
    "small letters": (marker_faults, spoil_marker("# nbval_check_output"), "understand"),
    "spaces": (marker_faults, spoil_marker("# NBVAL CHECK OUTPUT"), "understand"),
    "a full stop": (marker_faults, spoil_marker("# NBVAL_CHECK_OUTPUT."), "understand"),
    "behind code": (marker_faults, spoil_marker("1  # NBVAL_CHECK_OUTPUT"), "understand"),
    "in a text cell": (
        marker_faults,
        spoil_source(lambda nb: nb.cells[0], "# Sample", "# NBVAL_SKIP"),
        "understand",
    ),
    "a misspelt tag": (marker_faults, spoil_tags("check", "nbval-skips"), "understand the tag"),
    "changed code": (
        stale_faults,
        spoil_source(check_cell, "1 + 1 == 2", "2 + 2 == 4"),
        r"changed: \['cells'\].*make notebooks",
    ),
    "a changed module": (
        stale_faults,
        spoil_stamp(sources="0", modules={"vidgen_lite": "0"}),
        "vidgen_lite",
    ),
    "no record": (stamp_faults, lambda nb: nb.metadata.pop("vidgen"), "no record"),
    "another preset": (stamp_faults, spoil_stamp(preset="smoke"), "'smoke'"),
    "a missing version": (stamp_faults, spoil_stamp(versions={"python": "3.11"}), "versions"),
    "no seconds": (stamp_faults, spoil_stamp(seconds=0), "seconds 0"),
    "no device": (stamp_faults, spoil_stamp(device=""), "no device"),
    "a strange date": (stamp_faults, spoil_stamp(date="yesterday"), "'yesterday'"),
    "a check more than ran": (stamp_faults, spoil_stamp(checks=0), "0 checks recorded"),
    "too much media": (size_faults, show("A" * LARGEST), "cell 3 alone holds 3000"),
    "a path in a cell": (
        path_faults,
        spoil_source(check_cell, "1 + 1", f"open('{HOME}/a.mp4')"),
        f"{HOME}/a.mp4",
    ),
    "a path in an output": (path_faults, show(f"<video src='{HOME}/a.mp4'>"), f"{HOME}/a.mp4"),
    "a file address": (path_faults, show(f"see file://{HOME}/a.mp4"), f"{HOME}/a.mp4"),
    "a path of Windows": (path_faults, show("see C:\\Users\\someone\\a.mp4"), "a.mp4"),
    "this machine's folder": (path_faults, show(f"see {ROOT}/README.md"), "README.md"),
    "an error": (error_faults, fail, "ValueError: poses"),
    "another address": (install_faults, spoil_guard(ADDRESS, "https://else.org/X/Y"), "elsewhere"),
    "an upgrade": (install_faults, spoil_guard("-q", "-q -U"), "elsewhere"),
    "no second import": (
        install_faults,
        spoil_guard("git\n    import vidgen_lite", "git"),
        "not the install guard",
    ),
    "no guard": (install_faults, lambda nb: nb.cells.pop(1), "not the install guard"),
    "a second install": (
        install_faults,
        spoil_source(checked_cell, "print", "%pip install -q av\nprint"),
        "'%pip install -q av'",
    ),
    "no check": (judgement_faults, spoil_tags(), "no cell is tagged check"),
    "an untagged check": (judgement_faults, spoil_tags("checks"), "asserts, but is not tagged"),
    "a silent check": (
        judgement_faults,
        lambda nb: check_cell(nb).update(outputs=[]),
        "prints no judgement",
    ),
    "a skipped check": (judgement_faults, spoil_tags("check", "nbval-skip"), "does not hold"),
}


@pytest.mark.parametrize("name", BAD)
def test_rejected(good: NotebookNode, name: str):
    check, spoil, words = BAD[name]
    spoil(good)
    assert re.search(words, "\n".join(check(good)))


def test_every_check_has_a_notebook_that_it_rejects():
    assert {check for check, _, _ in BAD.values()} == set(CHECKS)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/home/page.html",
        "data:image/png;base64,AAA/tmp/B+/home/C",
        "either/or, 1/2, </var></root>",
        "from google.colab import drive; drive.mount('/content/drive')",
    ],
)
def test_addresses_and_media_are_not_taken_for_paths(good: NotebookNode, text: str):
    show(text)(good)
    assert path_faults(good) == []
    assert execute.portable_text(text) == text


@pytest.mark.parametrize("comment", ["# check the output", "# values in [0, 1]", "color='#ff7f0e'"])
def test_ordinary_comments_are_not_taken_for_markers(good: NotebookNode, comment: str):
    spoil_marker(f"# NBVAL_CHECK_OUTPUT\n{comment}")(good)
    assert marker_faults(good) == []
