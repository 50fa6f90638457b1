"""Colab is a guest room: the course installs there, is found there, and changes nothing there.

Colab itself is not at hand. Its packages are (colab_pins.txt), and so is what its notebooks do: a
cell run by IPython, with a pip that installs beside the packages that are there already.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from test_notebooks import ADDRESS, GUARD, NOTEBOOKS, ROOT, code_cells

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HOMEWORK = sorted((ROOT / "notebooks" / "homework").glob("*.ipynb"))
NEEDS = [Requirement(line) for line in PROJECT["dependencies"]]
PINS = dict(
    line.split("==")
    for line in (ROOT / "tests" / "colab_pins.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)
PYTHON = PINS.pop("python")

# Nothing is looked up outside this machine, where setuptools is at hand to build with.
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}  # pip reads 0 as "no isolation"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
ENVIRONMENT |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "GIT_TERMINAL_PROMPT": "0"}
if importlib.util.find_spec("setuptools"):
    ENVIRONMENT |= OFFLINE


def run(*command: object, environment: dict[str, str] = ENVIRONMENT, cwd: Path) -> str:
    """Run a command; return what it printed, or fail with it."""
    done = subprocess.run(
        [str(part) for part in command], env=environment, cwd=cwd, capture_output=True, text=True
    )
    if done.returncode:
        raise AssertionError(f"exit {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course as somebody gets it who clones it: no environment, built book or old builds."""
    beside = ("build", "dist", "_build", "runs", "vendor", "*.egg-info", "__pycache__", ".*")
    folder = tmp_path_factory.mktemp("clone") / "course"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*beside))
    return folder


@pytest.fixture(scope="module")
def wheel(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course's wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, clone, cwd=folder)
    (path,) = folder.iterdir()
    return path


def fresh_environment(folder: Path) -> tuple[Path, Path]:
    """A new virtual environment: its Python and its folder of packages."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    (site,) = folder.glob("lib/python*/site-packages")
    return folder / "bin" / "python", site


# ---- What the course asks for --------------------------------------------------------------------


@pytest.mark.parametrize("need", NEEDS, ids=str)
def test_colab_has_what_the_library_needs(need: Requirement):
    assert need.specifier.contains(PINS[canonicalize_name(need.name)], prereleases=True)


def test_the_pins_are_of_the_librarys_needs_and_of_nothing_else():
    assert set(PINS) == {canonicalize_name(need.name) for need in NEEDS}


def test_the_library_runs_on_colabs_python():
    assert SpecifierSet(PROJECT["requires-python"]).contains(PYTHON)


def test_the_library_sets_lower_bounds_only():
    assert {part.operator for need in NEEDS for part in need.specifier} == {">="}
    assert not any(need.url or need.extras or need.marker for need in NEEDS)


def dry_run(wheel: Path, pins: dict[str, str], folder: Path) -> list[str]:
    """The names of all that pip would install for the wheel where these packages are installed."""
    python, site = fresh_environment(folder / "colab")
    for name, version in pins.items():
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    pip = (sys.executable, "-m", "pip", "--python", python)
    options = ("install", "--dry-run", "--no-index", "--quiet", "--report", "-")
    report = json.loads(run(*pip, *options, wheel, cwd=folder))
    return [item["metadata"]["name"] for item in report["install"]]


def test_installing_the_course_on_colab_changes_no_package(wheel: Path, tmp_path: Path):
    assert dry_run(wheel, PINS, tmp_path) == ["vidgen-lite"]


def test_pip_would_change_a_package_that_is_too_old(wheel: Path, tmp_path: Path):
    with pytest.raises(AssertionError, match=r"numpy>="):
        dry_run(wheel, {**PINS, "numpy": "1.20"}, tmp_path)


# ---- The wheel -----------------------------------------------------------------------------------


def test_the_wheel_is_pure_python_and_holds_the_library_and_no_more(wheel: Path, clone: Path):
    assert wheel.name.endswith("-py3-none-any.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = {path for path in (clone / "vidgen_lite").rglob("*") if path.is_file()}
    assert held == {path.relative_to(clone).as_posix() for path in files}


def test_the_wheel_carries_the_licence(wheel: Path):
    assert any(name.endswith("/LICENSE") for name in zipfile.ZipFile(wheel).namelist())


# ---- The first cell of a notebook ----------------------------------------------------------------

# Distinct first cells, so that one that all notebooks share runs once.
FIRST_CELLS = sorted(
    {code_cells(nbformat.read(path, as_version=4))[0].source for path in NOTEBOOKS} or {GUARD}
)
RUN_CELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.instance().run_cell(open(sys.argv[1]).read()).raise_error()
import vidgen_lite
print("found:", vidgen_lite.__file__)
"""


@pytest.fixture
def guest(tmp_path: Path) -> tuple[Path, Path]:
    """A fresh environment that sees this one's packages, all but the course, as on Colab."""
    seen = tmp_path / "seen"
    seen.mkdir()
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in Path(folder).iterdir():
            ours = re.match(r"(__editable__)?_*vidgen_lite", path.name)
            if not ours and path.suffix != ".pth":
                (seen / path.name).symlink_to(path)
    python, site = fresh_environment(tmp_path / "guest")
    (site / "seen.pth").write_text(f"{seen}\n")
    return python, site


def run_cell(source: str, python: Path, address: str, folder: Path) -> str:
    """Run a cell unedited in an empty folder; git finds the course's address at ``address``."""
    (folder / "cell.py").write_text(source, encoding="utf-8")
    (folder / "empty").mkdir()
    moved = {"GIT_CONFIG_COUNT": "2"}
    for number, end in enumerate(("", ".git")):
        moved[f"GIT_CONFIG_KEY_{number}"] = f"url.{address}.insteadOf"
        moved[f"GIT_CONFIG_VALUE_{number}"] = ADDRESS + end
    command = (python, "-c", RUN_CELL, folder / "cell.py")
    return run(*command, environment=ENVIRONMENT | moved, cwd=folder / "empty")


@pytest.mark.skipif(shutil.which("git") is None, reason="the first cell installs through git")
@pytest.mark.parametrize("source", FIRST_CELLS, ids=range(len(FIRST_CELLS)))
def test_the_first_cell_installs_the_course_and_nothing_else(source, guest, clone, tmp_path):
    repository = tmp_path / "repository"
    shutil.copytree(clone, repository)
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "all")):
        run("git", *command, cwd=repository)
    python, site = guest
    said = run_cell(source, python, repository.as_uri(), tmp_path)
    assert f"found: {site}/vidgen_lite/__init__.py" in said
    installed = {path.name for path in site.iterdir()} - {"seen.pth", "__pycache__"}
    assert {name.partition("-")[0] for name in installed} == {"vidgen_lite"}
    assert not list((tmp_path / "empty").iterdir())


@pytest.mark.skipif(shutil.which("git") is None, reason="the first cell installs through git")
@pytest.mark.parametrize("source", FIRST_CELLS, ids=range(len(FIRST_CELLS)))
def test_the_first_cell_stops_when_the_install_fails(source, guest, tmp_path):
    with pytest.raises(AssertionError, match="No module named 'vidgen_lite'"):
        run_cell(source, guest[0], (tmp_path / "nowhere").as_uri(), tmp_path)


# ---- A homework, alone ---------------------------------------------------------------------------

RUN_NOTEBOOK = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
import matplotlib
matplotlib.use("Agg")
shell = InteractiveShell.instance()
for cell in json.load(open(sys.argv[1]))["cells"]:
    if cell["cell_type"] == "code":
        shell.run_cell("".join(cell["source"]), store_history=True).raise_error()
"""
ALONE = ("unshare", "--user", "--map-root-user", "--net")  # no network, not even this machine's own


def alone() -> tuple[str, ...]:
    """What to put before a command that shall have no network."""
    can = shutil.which("unshare") and not subprocess.run([*ALONE, "true"], check=False).returncode
    return ALONE if can else ()


@pytest.mark.parametrize("notebook", HOMEWORK, ids=lambda path: path.stem)
def test_a_homework_runs_alone_in_an_empty_folder_without_a_network(
    notebook: Path, guest: tuple[Path, Path], wheel: Path, tmp_path: Path
):
    python, site = guest
    with zipfile.ZipFile(wheel) as held:
        held.extractall(site)
    folder = tmp_path / "empty"
    folder.mkdir()
    shutil.copy(notebook, folder)
    command = (*alone(), python, "-c", RUN_NOTEBOOK, notebook.name)
    said = run(*command, environment=ENVIRONMENT | {"HOME": str(folder)}, cwd=folder)
    source = "".join(cell.source for cell in code_cells(nbformat.read(notebook, as_version=4)))
    asked = set(re.findall(r'homework\.check\("(.+?)"', source))
    assert asked
    assert set(re.findall(r"^(\d\.\d+) not yet\.", said, re.M)) == asked
    assert "Not everything is there yet" in said
    assert not (folder / f"homework_{notebook.stem[0]}.ipynb").exists()
