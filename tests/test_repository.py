"""The repository as a whole: who may import whom, one address, pinned versions, nothing stray."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest
from pages import ROOT, address, sources

LECTURES = ("gan_objective", "scene_dynamics", "pose_futures", "everybody_dance_now")
# Beside the lectures stands the command line, which starts any of them by name.
COMMAND_LINE = ("vidgen_lite.__main__",)
AT_THE_ROOT = {
    ".ci", ".github", ".gitignore", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile",
    "README.md", "_config.yml", "_toc.yml", "book", "notebooks", "pyproject.toml",
    "requirements.txt", "tests", "vidgen_lite",
}  # fmt: skip


@cache
def tracked() -> list[Path]:
    """The files of the repository: those git tracks, or would."""
    return [path for path in address.files(ROOT, kinds=None)]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((ROOT / "vidgen_lite").rglob("*.py"))}


def imported(path: Path) -> set[str]:
    """Every name that a module imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports inside the library are written in full"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def lecture_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "vidgen_lite" and parts[1:] and parts[1] in LECTURES else None


@pytest.mark.parametrize("name", [name for name in MODULES if name not in COMMAND_LINE])
def test_no_lecture_needs_a_later_one_and_no_shared_room_needs_a_lecture(name: str) -> None:
    own = lecture_of(name)
    needed = {lecture for other in imported(MODULES[name]) if (lecture := lecture_of(other))}
    # A lecture may build on lecture 1's losses; of the others each stands alone.
    allowed = {own, "gan_objective"} if own else set()
    assert needed <= allowed


def test_importing_the_library_loads_nothing_heavy_but_torch() -> None:
    heavy = ("accelerate", "matplotlib", "imageio", "ipywidgets", "IPython", "scipy", "pandas")
    code = (
        "import sys, torch, importlib\nbefore = set(sys.modules)\n"
        f"for name in {sorted(set(MODULES) - set(COMMAND_LINE))}: importlib.import_module(name)\n"
        f"print([m for m in {heavy} if m in set(sys.modules) - before])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_module_is_in_the_reference() -> None:
    listed = set(re.findall(r"automodule:: (\S+)", (ROOT / "book" / "api.md").read_text()))
    packages = {name for name in MODULES if MODULES[name].name == "__init__.py"}
    rooms = {name for name in MODULES if name not in packages and not lecture_of(name)}
    lectures = {name for name in packages if lecture_of(name)}
    assert listed == (rooms | lectures) - set(COMMAND_LINE)


# The address


def test_the_address_is_written_alike_everywhere() -> None:
    slug = address.current()
    for name in ("README.md", "CITATION.cff", "book/index.md"):
        assert f"https://github.com/{slug}" in (ROOT / name).read_text(), name
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        first = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        assert f"git+https://github.com/{slug}" in first, path.name
    for path in tracked():
        if path.suffix in address.KINDS:
            for found in re.findall(r"/github/([\w.-]+/[\w.-]+)/blob", path.read_text()):
                assert found == slug, path.name


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the repository's files, under git."""
    for path in tracked():
        to = tmp_path / path.relative_to(ROOT)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def test_one_command_moves_the_course_and_keeps_the_notebooks_valid(copy: Path) -> None:
    old, new = address.current(), "some-one/a.course"
    changed = {
        p.relative_to(copy).as_posix() for p in address.move(f"https://github.com/{new}", copy)
    }
    assert {"_config.yml", "README.md", "CITATION.cff", "book/index.md"} <= changed
    assert address.current(copy) == new
    left = [p for p in address.files(copy) if address.mentions(old).search(p.read_text())]
    assert not left
    for path in sorted((copy / "notebooks").rglob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        if stamp := notebook.metadata.get("vidgen"):
            hashes = sources.source_hashes(notebook)
            assert stamp["sources"] == sources.combined(hashes)
            assert stamp["modules"] == hashes
    address.move(f"https://github.com/{old}", copy)
    other = [p for p in tracked() if p.read_bytes() != (copy / p.relative_to(ROOT)).read_bytes()]
    assert not other


@pytest.mark.parametrize(
    "url",
    [
        "",
        "github.com/a/b",
        "https://github.com/a",
        "https://example.org/a/b",
        "https://github.com/a/b/c",
    ],
)
def test_an_address_that_colab_could_not_open_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"^URL: expected .*OWNER/NAME, got"):
        address.move(url, tmp_path)


# Versions and files


def test_what_the_course_needs_is_pinned_exactly() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r'[\w.-]+==[\w.]+(; python_version [<>=]+ "3\.\d+")?', p) for p in pins)
    names = {re.split("==", pin)[0].lower() for pin in pins}
    project = (ROOT / "pyproject.toml").read_text()
    needed = re.search(r"^dependencies = \[(.*?)^\]", project, re.M | re.S)
    assert needed
    assert {name.lower() for name in re.findall(r'"([\w.-]+)>=', needed[1])} <= names


def test_the_library_asks_for_lower_bounds_only() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    needed = re.search(r"^dependencies = \[(.*?)^\]", project, re.M | re.S)
    assert needed
    assert all(re.fullmatch(r"[\w.-]+>=[\d.]+", item) for item in re.findall(r'"(.+?)"', needed[1]))


def test_nothing_unexpected_lies_at_the_root() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= AT_THE_ROOT


def test_no_front_end_file_is_committed() -> None:
    assert not [path for path in tracked() if "vendor" in path.parts or path.stat().st_size > 4e6]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    hosts = "|".join(("py" + "pi", "python" + "hosted", "npm" + "js", "deb" + "ian"))
    pattern = re.compile(rf"://[^/\s]*({hosts})")
    text = {".bib", ".cff", ".css", ".ipynb", ".js", ".md", ".py", ".toml", ".txt", ".yml", ""}
    named = [
        path.relative_to(ROOT).as_posix()
        for path in tracked()
        if path.suffix in text and pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert not named
