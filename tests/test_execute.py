"""Running notebooks: what execute.py leaves behind, and what makes outputs stale (sources.py)."""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from test_notebooks import CHECKED, CHECKS, ROOT, Check, sample

sys.path.insert(0, str(ROOT / "notebooks"))

import execute
import sources
from sources import code_cells

TALK = """import os, sys, tempfile, warnings
from pathlib import Path
from tqdm import tqdm as plain_bar
from tqdm.auto import tqdm
for _ in tqdm(range(3), desc="two-stream"): pass
for _ in tqdm(range(3), desc="gone", leave=False): pass
for _ in plain_bar(range(3), desc="plain"): pass
warnings.warn("careful")
Path("clip.mp4").touch()
print(Path("clip.mp4").absolute(), Path.home() / "x", tempfile.gettempdir() + "/y")
print(vidgen_lite.__file__, object())"""
SLIDER = """import ipywidgets
a, b = ipywidgets.IntSlider(description="frame"), ipywidgets.IntText()
link = ipywidgets.jslink((a, "value"), (b, "value"))
ipywidgets.VBox([a, b])"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """The sample, run by execute.py at the laptop preset."""
    path = tmp_path_factory.mktemp("sample") / "1_sample.ipynb"
    nbformat.write(sample(TALK, SLIDER, CHECKED), path)
    assert execute.main([str(path), "--preset", "laptop"]) == 0
    assert [file.name for file in path.parent.iterdir()] == ["1_sample.ipynb"]
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_execute_writes_has_no(executed: NotebookNode, check: Check):
    assert check(executed) == []


def outputs_text(notebook: NotebookNode, index: int) -> str:
    """All that a code cell of the sample shows as plain text."""
    outputs = code_cells(notebook)[index].outputs
    return "".join(out.get("text", "") or out.data["text/plain"] + "\n" for out in outputs)


def test_outputs_keep_the_words_and_lose_the_machine(executed: NotebookNode):
    said = outputs_text(executed, 1)
    assert "./clip.mp4 …/x …/y\n" in said
    assert "vidgen_lite/__init__.py <object object>\n" in said
    assert "cell.py:8: UserWarning: careful" in said
    assert str(ROOT) not in said


def test_progress_bars_become_one_line_each_and_temporary_ones_vanish(executed: NotebookNode):
    said = outputs_text(executed, 1)
    assert re.findall(r"^(\S+): +(\d+%)\|█{10}\| 3/3", said, re.M) == [
        ("two-stream", "100%"),
        ("plain", "100%"),
    ]
    assert "gone" not in said
    assert "\r" not in said


def test_a_progress_bar_that_was_stopped_keeps_where_it_stood():
    left, bar, right = (
        {"model_name": f"{name}Model", "state": {"value": value, "max": 8}}
        for name, value in [("HTML", "fit:  25%"), ("FloatProgress", 2), ("HTML", " 2/8 [0&lt;1]")]
    )
    box = {"state": {"children": ["IPY_MODEL_a", "IPY_MODEL_b", "IPY_MODEL_c"]}}
    models = {"box": box, "a": left, "b": bar, "c": right}
    assert execute.bar_text(models, "box") == "fit:  25%|██        | 2/8 [0<1]"


def test_the_state_of_displayed_widgets_and_their_links_is_kept(
    executed: NotebookNode,
):
    state = executed.metadata.widgets[execute.WIDGET_STATE]["state"]
    names = {model["model_name"] for model in state.values()}
    assert {"VBoxModel", "IntSliderModel", "IntTextModel", "LinkModel"} <= names
    assert not {"FloatProgressModel", "HTMLModel", "HBoxModel"} & names
    shown = code_cells(executed)[2].outputs[0].data[execute.WIDGET_VIEW]["model_id"]
    assert state[shown]["model_name"] == "VBoxModel"
    assert all(len(model_id.lstrip("0")) <= 2 for model_id in state)


def test_a_notebook_runs_in_an_empty_folder_at_the_preset_asked_for(executed: NotebookNode):
    assert outputs_text(executed, 3) == "laptop ['clip.mp4']\n"


def test_the_stamp_tells_what_ran_where(executed: NotebookNode):
    stamp = executed.metadata.vidgen
    assert (stamp.preset, stamp.checks) == ("laptop", 1)
    assert stamp.date == datetime.date.today().isoformat()
    assert "CPU" in stamp.device or execute.device_name() == stamp.device
    assert set(stamp.modules) == {"cells", "vidgen_lite"}


def test_times_of_execution_are_not_kept(executed: NotebookNode):
    assert not any("execution" in cell.metadata for cell in executed.cells)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where execute.py puts what it could not write in place."""
    monkeypatch.setattr(execute, "RUNS", tmp_path / "runs")
    return tmp_path / "runs"


@pytest.mark.parametrize("last", ["1 / 0", "import os; os._exit(1)", "this is no Python"])
def test_a_failed_run_leaves_the_old_file_and_says_so(last, tmp_path, runs, capsys):
    path = tmp_path / "1_sample.ipynb"
    nbformat.write(sample("print('so far')", last), path)
    before = path.read_bytes()
    assert execute.main([str(path), "--preset", "smoke"]) == 1
    assert path.read_bytes() == before
    assert "1_sample.ipynb is unchanged" in capsys.readouterr().err
    partial = nbformat.read(runs / "1_sample.ipynb", as_version=4)
    assert last == "this is no Python" or outputs_text(partial, 1) == "so far\n"


def test_an_edit_made_while_the_notebook_ran_is_not_lost(tmp_path, runs, monkeypatch, capsys):
    path = tmp_path / "1_sample.ipynb"
    nbformat.write(sample(), path)

    def run_and_edit(notebook: NotebookNode, preset: str) -> NotebookNode:
        path.write_text("edited")
        return notebook

    monkeypatch.setattr(execute, "run", run_and_edit)
    assert execute.main([str(path)]) == 1
    assert path.read_text() == "edited"
    assert "was edited while it ran" in capsys.readouterr().err
    assert (runs / "1_sample.ipynb").exists()


def test_a_run_into_a_folder_leaves_the_notebook_alone(tmp_path, runs, monkeypatch):
    path = tmp_path / "1_sample.ipynb"
    nbformat.write(sample(), path)
    before = path.read_bytes()
    monkeypatch.setattr(execute, "run", lambda notebook, preset: new_notebook())
    assert execute.main([str(path), "--into", str(tmp_path / "there")]) == 0
    assert path.read_bytes() == before
    assert nbformat.read(tmp_path / "there" / path.name, as_version=4).cells == []


def test_the_command_line_starts_from_any_folder(tmp_path):
    command = [sys.executable, str(ROOT / "notebooks" / "execute.py"), "--help"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert all(preset in said for preset in execute.PRESETS)


def test_execute_offers_the_presets_of_the_library():
    training = pytest.importorskip("vidgen_lite.training")
    assert training.PRESETS == execute.PRESETS


# ---- What makes outputs stale --------------------------------------------------------------------

LIBRARY = {
    "__init__.py": '__version__ = "1"\n',
    "lecture.py": """'''Doc.'''
def f(x):
    '''Doc.'''
    from .rooms import low
    return x + 1
""",
    "later.py": "from vidgen_lite import lecture\n",
    "rooms/__init__.py": "",
    "rooms/low.py": "from ..checks import positive\n",
    "checks.py": "def positive(x): return x > 0\n",
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A small library in which a lecture reaches two rooms, one of them inside a function."""
    for name, code in LIBRARY.items():
        path = tmp_path / "vidgen_lite" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    return tmp_path


def hashes(
    root: Path, code: str = "from vidgen_lite import lecture\nlecture.f(1)"
) -> dict[str, str]:
    """The hashes of a notebook of one cell on that library."""
    return sources.source_hashes(new_notebook(cells=[new_code_cell(code)]), root)


def test_a_notebook_depends_on_what_it_imports_through_modules_functions_and_packages(library):
    below = {"vidgen_lite.rooms", "vidgen_lite.rooms.low", "vidgen_lite.checks"}
    assert set(hashes(library)) == {"cells", "vidgen_lite", "vidgen_lite.lecture"} | below
    code = "import vidgen_lite.rooms.low as room\n%matplotlib inline"
    assert set(hashes(library, code)) == {"cells", "vidgen_lite"} | below


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("lecture.py", "x + 1", "x + 2"),
        ("rooms/low.py", "positive", "positive as p"),
        ("checks.py", "> 0", ">= 0"),
    ],
)
def test_changed_code_below_a_notebook_makes_it_stale(library, name, old, new):
    before = hashes(library)
    path = library / "vidgen_lite" / name
    path.write_text(path.read_text().replace(old, new))
    assert hashes(library) != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("lecture.py", "Doc.", "Other words.\n"),
        ("lecture.py", "x + 1", "(x +\n            1)  # a comment"),
        ("__init__.py", '"1"', '"2"'),
        ("later.py", "lecture", "lecture as earlier"),
    ],
)
def test_words_layout_versions_and_other_lectures_do_not(library, name, old, new):
    before = hashes(library)
    path = library / "vidgen_lite" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert hashes(library) == before


def test_the_code_of_cells_counts_but_not_its_comments():
    assert hashes(ROOT, "x = 1") == hashes(ROOT, "# one\nx  =  1")
    assert hashes(ROOT, "x = 1") != hashes(ROOT, "x = True")
    assert hashes(ROOT, "'shown'") != hashes(ROOT, "'also shown'")
    assert hashes(ROOT, "%pip list") != hashes(ROOT, "%pip check")


def test_a_hash_is_the_same_on_every_python():
    code = "def f(x: int = 0, *, y=None) -> str:\n    return f'{x!r:>{y}}'"
    expected = "f207db20cdfae852e8bf4fd2b93ce711d13d11c73a2d11bd50c6693524e36603"
    assert hashes(ROOT, code)["cells"] == expected
