"""The repository as a whole: a full reference, one address, pinned versions, nothing stray."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import nbformat
import pytest
from pages import ROOT, address, sources

import vidgen_lite

LECTURES = ("gan_objective", "scene_dynamics", "pose_futures", "everybody_dance_now")
# Beside the lectures stands the command line, which starts any of them by name.
COMMAND_LINE = ("vidgen_lite.__main__",)
AT_THE_ROOT = {
    ".ci", ".github", ".gitignore", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile",
    "README.md", "_config.yml", "_toc.yml", "book", "homework", "notebooks", "pyproject.toml",
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


def lecture_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[1:] and parts[1] in LECTURES else None


def test_every_module_is_in_the_reference() -> None:
    listed = set(re.findall(r"automodule:: (\S+)", (ROOT / "book" / "api.md").read_text()))
    packages = {name for name in MODULES if MODULES[name].name == "__init__.py"}
    # Most packages only gather their modules; one that has functions of its own is a room too.
    empty = {name for name in packages if "\ndef " not in MODULES[name].read_text()}
    rooms = {name for name in MODULES if name not in empty and not lecture_of(name)}
    lectures = {name for name in packages if lecture_of(name)}
    assert listed == (rooms | lectures) - set(COMMAND_LINE)


# The address


@pytest.mark.parametrize(
    "chapter", sorted((ROOT / "book").glob("[0-9]_*.md")), ids=lambda path: path.stem
)
def test_names_with_underscores_that_a_chapter_mentions_are_in_the_library_or_its_notebook(
    chapter: Path,
) -> None:
    code = [*(ROOT / "vidgen_lite").rglob("*.py"), ROOT / "notebooks" / f"{chapter.stem}.ipynb"]
    known = set(re.findall(r"\w+", "\n".join(path.read_text(encoding="utf-8") for path in code)))
    prose = re.sub(r"```.*?```", "", chapter.read_text(encoding="utf-8"), flags=re.DOTALL)
    mentioned = re.findall(r"(?<![`}])`([^`\n]+)`", prose)
    names = {
        name for text in mentioned for name in re.findall(r"[A-Za-z]+(?:_[A-Za-z0-9]+)+", text)
    }
    assert names, "the chapter mentions no such name: does this test still read it rightly?"
    assert names <= known


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


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in address.files(root, kinds=None)}


def test_one_command_moves_the_course_and_keeps_the_notebooks_valid(copy: Path) -> None:
    old, new = address.current(), "some-one/a.course"
    before = contents(copy)
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
    assert contents(copy) == before


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


def test_the_citation_names_the_version_that_is_here() -> None:
    assert f"\nversion: {vidgen_lite.__version__}\n" in (ROOT / "CITATION.cff").read_text()


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
