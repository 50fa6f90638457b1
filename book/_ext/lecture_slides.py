"""Slides for the lecture room, one deck a chapter, made from the built pages at the end of a build.

A slide takes from its section what a room can read: figures, formulas with the words that lead to
them, sentences with a term in bold, lists, tables, code, questions. The text goes into the notes.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from itertools import groupby
from math import ceil
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from sphinx.application import Sphinx

CHAPTERS = ("[0-9]_*.html", "open_questions.html")
ROOM = 13.0  # lines on a slide
WIDTH = 80  # letters in a line
CODE_LINES = 16
SENTENCE_END = re.compile(r"(?<=[.!?])((?:</strong>|</em>|\))*)\s+(?=[A-Z<“])")
TAG_OR_FORMULA = re.compile(r"<[^>]+>|\\\(|\\\)|\\[a-zA-Z]+|[{}^_]")

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
NOTEBOOK_SECTION = re.compile(
    r'<section[^>]* id="([^"]+)">\s*(?:<span[^>]*></span>)*<h2>(.*?)<a class="headerlink"', re.S
)
PLACE = '<ul id="decks"></ul>'  # in book/lecture_slides.md
TEXT = ("p", "span", "h1", "h2", "h3")
LEANS = re.compile(r"(They|It|Its|This|That|These|Both|Here)\b")  # on the sentence before
TAGS = ("strong", "em", "a", "span")


@dataclass
class Item:
    """Something to be seen on a slide: how many lines it takes, and what is said about it."""

    body: str
    lines: float
    alone: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass
class Slide:
    """One slide; ``anchor`` is the place in the chapter that it comes from."""

    heading: str
    anchor: str
    items: list[Item]
    kind: str = ""


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph's HTML; marks that span two of them keep these together."""
    found: list[str] = []
    for part in SENTENCE_END.sub(r"\1\n\n", paragraph.strip()).split("\n\n"):
        if found and any(found[-1].count(f"<{t}") != found[-1].count(f"</{t}") for t in TAGS):
            found[-1] += f" {part}"
        else:
            found.append(part)
    return found


def height(text: str) -> float:
    """About how many lines a piece of text takes."""
    return max(1.0, len(TAG_OR_FORMULA.sub("", text)) / WIDTH) + 0.4


def with_next(found: list[str], i: int) -> str:
    """A sentence, and the next one if it is only a heading in bold."""
    heading = found[i].startswith("<strong") and found[i].endswith(("</strong>", "</strong>."))
    return " ".join(found[i : i + 2]) if heading and height(found[i]) <= 1.4 else found[i]


def key_sentences(found: list[str], most: int) -> list[str]:
    """A paragraph's sentences for the room: those with a term in bold, else the first few."""
    bold: list[str] = []
    for i, sentence in enumerate(found):
        if "<strong" in sentence and not (bold and bold[-1].endswith(sentence)):
            bold.append(leaning(found, i))
    return bold or found[:most]


def leaning(found: list[str], i: int) -> str:
    """A sentence with the one before it if it can't stand by itself, or after it if it must."""
    return f"{found[i - 1]} {found[i]}" if i and LEANS.match(found[i]) else with_next(found, i)


def short(item: Tag) -> str:
    """What is said of a list's item for the room."""
    return with_next(sentences((item.find("p") or item).decode_contents()), 0)


def listed(block: Tag, notes: list[str]) -> list[Item]:
    """A list, in pieces that fit on a slide."""
    pieces: list[list[str]] = [[]]
    for item in block.find_all("li", recursive=False):
        text = short(item)
        if pieces[-1] and sum(map(height, pieces[-1])) + height(text) > ROOM:
            pieces.append([])
        pieces[-1].append(text)
    found, first = [], int(str(block.get("start", 1)))
    for piece in pieces:
        start = f' start="{first}"' if block.name == "ol" else ""
        rows = "".join(f"<li>{text}</li>" for text in piece)
        body = f"<{block.name}{start}>{rows}</{block.name}>"
        found.append(Item(body, sum(map(height, piece))))
        first += len(piece)
    found[0].notes = [*notes, str(block)]
    return found


def formula(block: Tag, lead: str, notes: list[str]) -> Item:
    """A displayed formula below the words that lead to it."""
    tex = block.get_text()
    lines = 1.6 * (1 + tex.count("\\\\")) + 0.8 + 0.7 * ("\\underbrace" in tex or "\\sum" in tex)
    words = f"<p>{lead}</p>" if lead else ""
    return Item(words + str(block), lines + (height(lead) if lead else 0), notes=notes)


def exercises(section: Tag) -> list[Item]:
    """The exercises' titles, each a link."""
    rows = []
    for block in section.find_all("div", class_="exercise", recursive=False):
        title = block.find(class_="admonition-title")
        rows.append(f'<li><a href="#{block["id"]}">{title.get_text(" ", strip=True)}</a></li>')
    return [Item(f"<ul>{''.join(rows)}</ul>", 1.4 * len(rows))] if rows else []


def items_of(section: Tag) -> list[Item]:
    """What a section, without those inside it, puts on slides, in order."""
    items: list[Item] = []
    text: list[str] = []  # said, and not yet the notes of an item
    lead = ""
    blocks = [b for b in section.find_all(True, recursive=False) if b.name != "section"]
    text_only = all(block.name in TEXT for block in blocks)
    paragraphs = sum(block.name == "p" for block in blocks)
    most = ceil(4 / (paragraphs + 1)) if text_only else 0
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        classes = set(block.get("class") or [])
        if block.name == "p":
            found = sentences(block.decode_contents())
            text.append(str(block))
            to_formula = following is not None and "math" in (following.get("class") or [])
            leads = to_formula or found[-1].endswith(":")
            lead = leaning(found, len(found) - 1) if leads else ""
            if leads:
                del found[-2 if lead != found[-1] else -1 :]
            for sentence in key_sentences(found, most) + [lead] * (leads and not to_formula):
                items.append(Item(f"<p>{sentence}</p>", height(sentence), notes=text))
                text = []
        elif "math" in classes:
            items.append(formula(block, lead, text))
            text, lead = [], ""
        elif block.name == "figure" or block.find("figure"):
            for figure in [block] if block.name == "figure" else block.find_all("figure"):
                items.append(Item(str(figure), ROOM - 3, alone=True, notes=text))
                text = []
        elif block.name in ("ul", "ol"):
            items += listed(block, text)
            text = []
        elif block.find("table"):
            rows = len(block.find_all("tr"))
            items.append(Item(str(block.find("table")), 1.3 * rows, rows > 6, text))
            text = []
        elif any(name.startswith("highlight") for name in classes):
            rows = block.get_text().rstrip().count("\n") + 1
            if rows <= CODE_LINES:
                items.append(Item(str(block), 0.85 * rows + 0.8, notes=text))
                text = []
        elif block.name == "details":
            items.append(Item(str(block), 2.5 + height(block.summary.get_text()), notes=text))
            text = []
        elif classes & {"quiz", "objectives"}:
            items.append(Item(str(block), ROOM, alone=True, notes=text))
            text = []
        elif classes & {"admonition", "lead"}:
            text.append(str(block))
    if items:
        items[-1].notes = [*items[-1].notes, *text]
    return items


def packed(items: list[Item]) -> list[list[Item]]:
    """The items, slide by slide: some alone, runs of the others shared out evenly."""
    slides: list[list[Item]] = []
    for alone, group in groupby(items, key=lambda item: item.alone):
        run = list(group)
        total = sum(item.lines for item in run)
        room = total / ceil(total / ROOM)
        filled = ROOM
        if not alone and slides and is_small(run):  # below a figure
            slides[-1] += run
            continue
        for item in run:
            if alone and slides and is_small(slides[-1]):  # the figure below the words
                slides[-1].append(item)
            elif alone or filled + item.lines / 2 > room:
                slides.append([item])
                filled = item.lines
            else:
                slides[-1].append(item)
                filled += item.lines
    return slides


def is_small(items: list[Item]) -> bool:
    """Whether they leave room for a figure."""
    return sum(item.lines for item in items) <= 3


def slides_of(section: Tag, above: str = "") -> list[Slide]:
    """The slides of a section and of those inside it."""
    title = section.find(re.compile("^h[1-3]$"), recursive=False)
    if title is None:
        return []
    kicker = f'<span class="kicker">{above}</span> ' if title.name == "h3" else ""
    anchor = str((section.find("span", id=True, recursive=False) or section)["id"])
    items = exercises(section) or items_of(section)
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
    return any(not item.body.startswith("<p") or "<strong" in item.body for item in slide.items)


def cleaned(page: Tag, name: str) -> Tag:
    """The chapter's text without what is for pages; its links hold from another folder."""
    for extra in page.select("a.headerlink, script, style"):
        extra.decompose()
    for image in page.select("a.image-reference"):
        image.unwrap()
    for element in page.find_all(True):
        for attribute in ("title", "style"):
            del element[attribute]
        href = element.get("href")
        if href and href.startswith("#"):
            element["href"] = f"../book/{name}.html{href}"
        elif href and not re.match(r"\w+:|\.\./", href):
            element["href"] = f"../book/{href}"
    return page


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
    chapter = cleaned(soup.select_one("article section"), name)
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
    """A slide as HTML. Only formulas keep their names; all else lives in the chapter."""
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
    return re.sub(r'(?<!section class="slide") id="(?!equation-|slide-)[^"]*"', "", text)


def write_decks(app: Sphinx, error: Exception | None) -> None:
    """Write the decks of a built book, and list them on the page that has a place for the list."""
    if error is not None or app.builder.format != "html":
        return
    book, rows = Path(app.outdir, "book"), []
    Path(app.outdir, "slides").mkdir(exist_ok=True)
    for path in [path for pattern in CHAPTERS for path in sorted(book.glob(pattern))]:
        title, text, count = deck(path)
        Path(app.outdir, "slides", path.name).write_text(text, encoding="utf-8")
        rows.append(f'<li><a href="../slides/{path.name}">{title}</a>: {count} slides</li>')
    page = book / "lecture_slides.html"
    if page.exists():
        filled = page.read_text(encoding="utf-8").replace(PLACE, f"<ul>{''.join(rows)}</ul>")
        page.write_text(filled, encoding="utf-8")
