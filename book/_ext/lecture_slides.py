"""Slides for the lecture room: a deck for each chapter, made from its page when a book is built."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from slide_items import ROOM, Item, items_of, packed
from sphinx.application import Sphinx

CHAPTERS = ("[0-9]_*.html", "open_questions.html")
PLACE = '<ul id="decks"></ul>'  # in book/teaching/lecture_slides.md
NOTEBOOK_SECTION = re.compile(
    r'<section[^>]* id="([^"]+)">\s*(?:<span[^>]*></span>)*<h2>(.*?)<a class="headerlink"', re.S
)

PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="light">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – slides</title>
<link rel="icon" href="../_static/favicon.svg">
<link rel="stylesheet" href="../_static/pygments.css">
<link rel="stylesheet" href="../_static/slides.css">
{mathjax}
<script defer src="../_static/slides.js"></script>
</head>
<body>
<main class="tex2jax_ignore mathjax_ignore">
{slides}
</main>
</body>
</html>
"""
SLIDE = """<section class="slide{kind}" id="slide-{number}"><div class="sheet">
{heading}
<div class="body">
{body}
</div>
{notes}<footer><a href="{link}">{where}</a><span>{number} / {count}</span></footer>
</div></section>"""
HELP = (
    '<p class="help">Arrow keys, space or a swipe: on and back. Home, End: first and last. '
    "N: notes. F: full screen.</p>"
)


@dataclass
class Slide:
    """One slide; ``anchor`` is the place in the chapter that it comes from."""

    heading: str
    anchor: str
    items: list[Item]
    kind: str = ""


def slides_of(section: Tag, above: str = "") -> list[Slide]:
    """The slides of a section and of those inside it."""
    title = section.find(re.compile("^h[1-3]$"), recursive=False)
    if title is None:
        return []
    kicker = f'<span class="kicker">{above}</span> ' if title.name == "h3" else ""
    anchor = str((section.find("span", id=True, recursive=False) or section)["id"])
    items = items_of(section)
    heading = kicker + title.decode_contents()
    found = [Slide(heading, anchor, part) for part in packed(items)]
    for inner in section.find_all("section", recursive=False):
        slides = slides_of(inner, title.get_text())
        said = [note for slide in slides for item in slide.items for note in item.notes]
        if found and not any(worth_seeing(slide) for slide in slides):
            found[-1].items[-1].notes += said
        else:
            found += slides
    return found


def worth_seeing(slide: Slide) -> bool:
    """Whether there is more on it than a sentence or two."""
    return any(not item.body.endswith("</p>") or "<strong" in item.body for item in slide.items)


def cleaned(chapter: Tag) -> Tag:
    """A chapter without what is for its page only."""
    for extra in chapter.select("a.headerlink, script, style"):
        extra.decompose()
    for image in chapter.select("a.image-reference"):
        image.unwrap()
    for element in chapter.find_all(True):
        for attribute in ("title", "style"):
            del element[attribute]
    return chapter


def run_it(notebook: Path) -> Item:
    """The notebook's sections, each a link."""
    link = f"../notebooks/{notebook.name}"
    sections = NOTEBOOK_SECTION.findall(notebook.read_text(encoding="utf-8"))
    rows = "".join(f'<li><a href="{link}#{name}">{title}</a></li>' for name, title in sections)
    return Item(f'<p><a href="{link}">The notebook of this lecture</a></p><ul>{rows}</ul>', ROOM)


def deck(path: Path) -> tuple[str, str, int]:
    """A chapter's title, its slides as a page, and how many there are."""
    name = path.stem
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    scripts = [s for s in soup.find_all("script") if "mathjax" in f"{s.get('src')}{s}".lower()]
    chapter = cleaned(soup.select_one("article section"))
    title = chapter.h1.get_text()
    anchor = str(chapter["id"])
    intro = items_of(chapter)
    lead = chapter.select_one(".lead")
    said = [note for item in intro for note in item.notes]
    opening = Item(f"{lead.decode_contents() if lead else ''}{HELP}", 3, notes=said)
    slides = [Slide(title, anchor, [opening], " title")]
    heading = chapter.h1.decode_contents()
    slides += [Slide(heading, anchor, [Item(i.body, i.lines)]) for i in intro if i.alone]
    for section in chapter.find_all("section", recursive=False):
        slides += slides_of(section)
    if (notebook := path.parents[1] / "notebooks" / path.name).exists():
        slides.append(Slide("Run it", anchor, [run_it(notebook)]))
    shown = [rendered(s, i, len(slides), name) for i, s in enumerate(slides, 1)]
    text = PAGE.format(
        title=html.escape(title), mathjax="\n".join(map(str, scripts)), slides="\n".join(shown)
    )
    return title, text, len(slides)


def rendered(slide: Slide, number: int, count: int, name: str) -> str:
    """A slide as HTML. What links name is in the chapter, so only formulas keep their names."""
    level = "h1" if slide.kind else "h2"
    said = "".join(note for item in slide.items for note in item.notes)
    text = SLIDE.format(
        kind=slide.kind,
        number=number,
        count=count,
        heading=f"<{level}>{slide.heading}</{level}>",
        body="\n".join(item.body for item in slide.items),
        notes=f'<details class="notes"><summary>Notes</summary>{said}</details>\n' if said else "",
        link=f"../book/{name}.html#{slide.anchor}",
        where="In the chapter",
    )
    text = re.sub(r' id="(?!equation-|slide-|quiz-)[^"]*"', "", text)
    text = re.sub(r'href="(?=#)', f'href="../book/{name}.html', text)
    return re.sub(r'href="(?!\w+:|\.\./)', 'href="../book/', text)


def write_decks(app: Sphinx, error: Exception | None) -> None:
    """Write the decks of a built book, and list them on the page that has a place for the list."""
    if error is not None or app.builder.format != "html":
        return
    book, rows = Path(app.outdir, "book"), []
    Path(app.outdir, "slides").mkdir(exist_ok=True)
    for path in [path for pattern in CHAPTERS for path in sorted(book.glob(pattern))]:
        title, text, count = deck(path)
        Path(app.outdir, "slides", path.name).write_text(text, encoding="utf-8")
        rows.append(f'<li><a href="../../slides/{path.name}">{title}</a>: {count} slides</li>')
    page = book / "teaching" / "lecture_slides.html"
    if page.exists():
        filled = page.read_text(encoding="utf-8").replace(PLACE, f"<ul>{''.join(rows)}</ul>")
        page.write_text(filled, encoding="utf-8")
