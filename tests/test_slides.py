"""The slides of the chapters: a deck each, with all that a room should see. They are in
test_browser.py too, and what test_book.py says of every page holds for decks as well."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from pages import ROOT, built_book, pages

CHAPTERS = [name for name in pages() if re.match(r"book/([0-9]_|open_questions)", name)]


@pytest.fixture(scope="session")
def book() -> Path:
    return built_book()


def page(path: Path) -> Tag:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def deck(book: Path, name: str) -> Tag:
    return page(book / "slides" / f"{Path(name).name}.html")


def chapter(book: Path, name: str) -> Tag:
    """A chapter's text without its exercises and solutions, which have no slides of their own."""
    text = page(book / f"{name}.html").select_one("article")
    for practice in text.select(".exercise, .solution"):
        practice.decompose()
    return text


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_figure_of_a_chapter_is_on_a_slide(book: Path, name: str) -> None:
    wanted = [image["src"] for image in chapter(book, name).select("figure img")]
    shown = [image["src"] for image in deck(book, name).select(".body figure img")]
    assert wanted or name == "book/open_questions"
    assert shown == wanted


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_labelled_equation_of_a_chapter_is_on_a_slide_with_its_number(book, name) -> None:
    def numbered(text: Tag, where: str) -> dict[str, str]:
        found = text.select(f'{where} div.math[id^="equation-"]')
        return {block["id"]: re.sub(r"[\s#]", "", block.get_text()) for block in found}

    assert numbered(deck(book, name), ".body") == numbered(chapter(book, name), "section")


@pytest.mark.parametrize("name", CHAPTERS)
def test_no_slide_is_empty_and_each_leads_to_its_section(book: Path, name: str) -> None:
    slides = deck(book, name).select(".slide")
    assert len(slides) > 5
    for number, slide in enumerate(slides, 1):
        assert slide.select_one(".body").find(True), f"slide {number} is empty"
        assert slide.select_one("h1, h2").get_text(strip=True)
        assert slide.select_one("footer a")["href"].startswith(f"../{name}.html#")
        assert slide.select_one("footer span").get_text() == f"{number} / {len(slides)}"


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_paragraph_of_a_chapter_is_in_the_notes_or_on_a_slide(book: Path, name: str) -> None:
    said = re.sub(r"\s", "", deck(book, name).get_text())
    paragraphs = chapter(book, name).select("section > p")
    missing = [p.get_text()[:80] for p in paragraphs if re.sub(r"\s", "", p.get_text()) not in said]
    assert not missing


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_deck_leads_to_the_chapters_notebook(book: Path, name: str) -> None:
    notebook = f"notebooks/{Path(name).name}"
    links = {link["href"] for link in deck(book, name).select("a[href]")}
    assert (f"../{notebook}.html" in links) == (ROOT / f"{notebook}.ipynb").exists()


def test_the_teachers_page_lists_every_deck_with_its_number_of_slides(book: Path) -> None:
    text = page(book / "book" / "teaching" / "lecture_slides.html")
    for name in CHAPTERS:
        (link,) = text.select(f'article a[href="../../slides/{Path(name).name}.html"]')
        count = len(deck(book, name).select(".slide"))
        assert f"{count} slides" in link.parent.get_text()
