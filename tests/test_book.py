"""The built book: its pages are there, hang together, need nobody else, and are light."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from pages import ROOT, address, built_book, frontend, notebook_pages, pages

MEDIA = {".png", ".jpg", ".jpeg", ".svg", ".gif", ".webp", ".mp4", ".webm", ".ogg"}
MOST_BYTES = 3_000_000
# Attributes that make a browser fetch something; a link that a reader clicks is not among them.
FETCHED = {"src", "poster", "srcset", "data"}


class Page(HTMLParser):
    """The elements of a page that point somewhere, and the places that can be pointed at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.anchors: set[str] = set()
        self.links: list[str] = []  # followed by a click
        self.fetched: list[str] = []  # loaded with the page
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.titles = 0
        self._in_article = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self._in_article |= tag == "article"
        self.titles += tag == "h1" and self._in_article  # another is there for printing only
        self.anchors |= {v for k in ("id", "name") if (v := attributes.get(k))}
        self.fetched += [v for k in FETCHED if (v := attributes.get(k))]
        if href := attributes.get("href"):
            (self.links if tag == "a" else self.fetched).append(href)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


@pytest.fixture(scope="session")
def book() -> Path:
    return built_book()


@cache
def read(path: Path) -> Page:
    return Page(path)


def every_page(book: Path) -> list[Page]:
    return [read(path) for path in sorted(book.rglob("*.html")) if "_static" not in path.parts]


def target(page: Page, link: str) -> tuple[Path, str] | None:
    """The local file and the anchor that a link leads to, or None if it leaves the book."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    path = page.path if not parts.path else (page.path.parent / unquote(parts.path)).resolve()
    return path, unquote(parts.fragment)


def test_every_page_of_the_table_of_contents_is_built(book: Path) -> None:
    missing = [page for page in pages() if not (book / f"{page}.html").exists()]
    assert not missing
    assert (book / "index.html").exists()
    assert (book / "search.html").exists()


def test_every_internal_link_and_anchor_leads_somewhere(book: Path) -> None:
    broken = []
    for page in every_page(book):
        for link in page.links:
            if (found := target(page, link)) is None:
                continue
            path, anchor = found
            if not path.is_file():
                broken.append(f"{page.path.name}: {link}")
            elif anchor and path.suffix == ".html" and anchor not in read(path).anchors:
                broken.append(f"{page.path.name}: {link} (no such anchor)")
    assert not broken


def test_every_figure_clip_script_and_style_is_there(book: Path) -> None:
    missing = [
        f"{page.path.name}: {link}"
        for page in every_page(book)
        for link in page.fetched
        if (found := target(page, link)) and not found[0].is_file()
    ]
    for sheet in book.rglob("*.css"):
        for link in re.findall(r"url\(\s*['\"]?(?!data:|#)([^'\")]+)", sheet.read_text()):
            if not (sheet.parent / urlsplit(link).path).is_file():
                missing.append(f"{sheet.relative_to(book)}: {link}")
    assert not missing


def test_no_page_loads_anything_from_another_host(book: Path) -> None:
    foreign = [
        f"{page.path.name}: {link[:80]}"
        for page in every_page(book)
        for link in page.fetched
        if urlsplit(link).netloc or urlsplit(link).scheme in {"http", "https"}
    ]
    assert not foreign


@pytest.mark.parametrize("name", pages())
def test_a_page_and_its_media_stay_under_three_megabytes(book: Path, name: str) -> None:
    page = read(book / f"{name}.html")
    found = {t[0] for link in page.fetched if (t := target(page, link))}
    media = {path for path in found if path.suffix.lower() in MEDIA}
    assert page.path.stat().st_size + sum(path.stat().st_size for path in media) < MOST_BYTES


@pytest.mark.parametrize("name", pages())
def test_a_page_can_be_heard_as_well_as_seen(book: Path, name: str) -> None:
    page = read(book / f"{name}.html")
    assert page.all("html")[0].get("lang") == "en"
    assert page.titles == 1
    for image in page.all("img"):
        text = image.get("alt") or ""
        # A notebook's picture without a text of its own gets its file's name.
        named = text != "" and not text.endswith(tuple(MEDIA))
        assert named, f"a picture without a text: {image}"
    for video in page.all("video"):
        assert "controls" in video
        assert video.get("poster")
        assert video.get("aria-label"), "a clip without a text"


def in_colab(name: str) -> str:
    """The address that opens a notebook of this repository in Colab."""
    repository = address.current()
    return f"https://colab.research.google.com/github/{repository}/blob/main/{name}.ipynb"


def test_pages_of_notebooks_and_of_the_homework_open_in_colab_and_no_others(book: Path) -> None:
    homework = [f"notebooks/homework/{p.stem}" for p in ROOT.glob("notebooks/homework/*.ipynb")]
    for name in pages():
        page = read(book / f"{name}.html")
        links = {link for link in page.links if "colab.research.google.com" in link}
        if name in notebook_pages():
            assert in_colab(name) in links
        else:
            assert links == {in_colab(n) for n in homework if name == "book/homework"}


@pytest.mark.parametrize("name", pages())
def test_a_page_leads_to_its_source_and_to_the_issues(book: Path, name: str) -> None:
    links = read(book / f"{name}.html").links
    repository = f"https://github.com/{address.current()}"
    assert repository in links
    assert any(link.startswith(f"{repository}/issues/new") for link in links)
    if name not in notebook_pages():
        assert f"{repository}/edit/main/{name}.md" in links


def test_the_status_page_tells_about_every_notebook(book: Path) -> None:
    links = read(book / "book" / "status.html").links
    for name in notebook_pages():
        assert f"../{name}.html" in links


def test_every_notebook_is_a_page() -> None:
    written = {
        p.relative_to(ROOT).with_suffix("").as_posix() for p in ROOT.glob("notebooks/*.ipynb")
    }
    assert written == set(notebook_pages())


# The front-end files


def fake_package(content: bytes, folder: Path) -> tuple[frontend.Package, Path]:
    """A package of one file, and its archive as npm would pack it."""
    import base64
    import hashlib
    import io
    import tarfile

    archive = folder / "thing-1.0.0.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        entry = tarfile.TarInfo("package/dist/thing.js")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    sha512 = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    package = frontend.Package("thing", "1.0.0", sha512, "thing", r"dist/.*\.js", "dist/")
    return package, archive


def test_front_end_files_that_are_whole_are_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, archive = fake_package(b"let a = 1;", tmp_path)
    calls = []

    def pack(packages: object, work: object) -> list[Path]:
        calls.append(packages)
        return [archive]

    monkeypatch.setattr(frontend, "_pack", pack)
    file = frontend.ensure((package,), tmp_path / "vendor") / "thing" / "thing.js"
    assert file.read_bytes() == b"let a = 1;"
    frontend.ensure((package,), tmp_path / "vendor")
    assert len(calls) == 1
    file.write_bytes(b"let a = 2;")  # damaged: fetched anew
    frontend.ensure((package,), tmp_path / "vendor")
    assert len(calls) == 2
    assert file.read_bytes() == b"let a = 1;"


def test_a_front_end_package_with_another_hash_is_refused_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, archive = fake_package(b"let a = 1;", tmp_path)
    monkeypatch.setattr(frontend, "_pack", lambda packages, work: [archive])
    vendor = frontend.ensure((package,), tmp_path / "vendor")
    other, forged = fake_package(b"steal();", tmp_path)
    pinned = frontend.Package(**{**vars(other), "version": "1.0.1", "sha512": package.sha512})
    monkeypatch.setattr(frontend, "_pack", lambda packages, work: [forged])
    with pytest.raises(frontend.FrontendError, match=r"thing 1\.0\.1: expected SHA-512"):
        frontend.ensure((pinned,), vendor)
    assert (vendor / "thing" / "thing.js").read_bytes() == b"let a = 1;"
