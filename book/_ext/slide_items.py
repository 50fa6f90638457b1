"""What a section of a chapter puts on slides: its items, each with what is said about it.

A room can read figures, formulas with the words that lead to them, sentences with a term in bold,
lists, tables, code and questions. All other text goes into the notes of the item that it leads to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby
from math import ceil, inf

from bs4 import Tag

ROOM = 13.0  # lines on a slide
WIDTH = 80  # letters in a line
CODE_LINES = 16
TABLE_ROWS = 10
SENTENCE_END = re.compile(r"(?<=[.!?])((?:</strong>|</em>|\))*)\s+(?=[A-Z<“])")
TAG_OR_FORMULA = re.compile(r"<[^>]+>|\\\(|\\\)|\\[a-zA-Z]+|[{}^_]")
TEXT = ("p", "span", "h1", "h2", "h3")
LEANS = re.compile(r"(They|It|Its|This|That|These|Both)\b")  # on the sentence before
TAGS = ("strong", "em", "a", "span")


@dataclass
class Item:
    """Something to be seen on a slide: how many lines it takes, and what is said about it."""

    body: str
    lines: float
    alone: bool = False
    notes: list[str] = field(default_factory=list)


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


def listed(block: Tag) -> list[tuple[str, float]]:
    """A list, in pieces that fit on a slide, and the lines that each of them takes."""
    pieces: list[list[str]] = [[]]
    for text in map(short, block.find_all("li", recursive=False)):
        if pieces[-1] and sum(map(height, pieces[-1])) + height(text) > ROOM:
            pieces.append([])
        pieces[-1].append(text)
    found, first = [], int(str(block.get("start", 1)))
    for piece in pieces:
        start = f' start="{first}"' if block.name == "ol" else ""
        rows = "".join(f"<li>{text}</li>" for text in piece)
        found.append((f"<{block.name}{start}>{rows}</{block.name}>", sum(map(height, piece))))
        first += len(piece)
    return found


def tabled(table: Tag) -> list[tuple[str, int]]:
    """A table, in even pieces of a few rows below the same head, and how many rows each has."""
    head, rows = table.find("thead"), table.find("tbody").find_all("tr", recursive=False)
    size = ceil(len(rows) / ceil(len(rows) / TABLE_ROWS))
    pieces = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [
        (f"<table>{head}<tbody>{''.join(map(str, piece))}</tbody></table>", 1 + len(piece))
        for piece in pieces
    ]


def formula_lines(tex: str) -> float:
    """About how many lines a displayed formula takes."""
    return 1.6 * (1 + tex.count("\\\\")) + 0.8 + 0.7 * ("\\underbrace" in tex or "\\sum" in tex)


def items_of(section: Tag) -> list[Item]:
    """What a section, without those inside it, puts on slides, in order."""
    inside = section.find_all(True, recursive=False)
    blocks = [b for b in inside if b.name != "section" and "solution" not in (b.get("class") or [])]
    text_only = all(block.name in TEXT for block in blocks)
    most = ceil(4 / (1 + sum(block.name == "p" for block in blocks))) if text_only else 0
    items: list[Item] = []
    text: list[str] = []  # said, and not yet the notes of an item
    lead = ""  # words that lead to the next item

    def add(body: str, lines: float, alone: bool = False) -> None:
        nonlocal lead
        if lead:
            body, lines = f"<p>{lead}</p>{body}", lines + height(lead)
        items.append(Item(body, lines, alone, text.copy()))
        text.clear()
        lead = ""

    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        classes = set(block.get("class") or [])
        if block.name == "p":
            found = sentences(block.decode_contents())
            text.append(str(block))
            to_formula = following is not None and "math" in (following.get("class") or [])
            leads = to_formula or found[-1].endswith(":")
            last = leaning(found, len(found) - 1) if leads else ""
            if leads:
                del found[-2 if last != found[-1] else -1 :]
            lead = ""
            for sentence in key_sentences(found, most):
                add(f"<p>{sentence}</p>", height(sentence))
            lead = last
        elif "math" in classes:
            add(str(block), formula_lines(block.get_text()))
        elif "exercise" in classes:
            title = block.find(class_="admonition-title").get_text(" ", strip=True)
            add(f'<p><a href="#{block["id"]}">{title}</a></p>', 1.4)
        elif block.name == "figure" or block.find("figure"):
            for figure in [block] if block.name == "figure" else block.find_all("figure"):
                add(str(figure), ROOM - 3, alone=True)
        elif block.name in ("ul", "ol"):
            text.append(str(block))
            for body, lines in listed(block):
                add(body, lines)
        elif block.find("table"):
            for body, rows in tabled(block.find("table")):
                add(body, 1.3 * rows, alone=rows > 6)
        elif any(name.startswith("highlight") for name in classes):
            rows = block.get_text().rstrip().count("\n") + 1
            if rows <= CODE_LINES:
                add(str(block), 0.85 * rows + 0.8)
        elif block.name == "details":
            add(str(block), 2.5 + height(block.summary.get_text()))
        elif classes & {"quiz", "objectives"}:
            add(str(block), ROOM, alone=True)
        elif classes & {"admonition", "lead"}:
            text.append(str(block))
    if items:
        items[-1].notes += text
    return items


def packed(items: list[Item]) -> list[list[Item]]:
    """The items, slide by slide: some alone, runs of the others shared out evenly."""
    slides: list[list[Item]] = []
    for alone, group in groupby(items, key=lambda item: item.alone):
        run = list(group)
        total = sum(item.lines for item in run)
        room = total / ceil(total / ROOM)
        filled = inf
        if not alone and slides and is_small(run):  # below a figure
            slides[-1] += run
            continue
        for item in run:
            if alone and slides and is_small(slides[-1]):  # the figure below the words
                slides[-1].append(item)
            elif alone or filled + item.lines / 2 > 1.1 * room:
                slides.append([item])
                filled = item.lines
            else:
                slides[-1].append(item)
                filled += item.lines
    return slides


def is_small(items: list[Item]) -> bool:
    """Whether they leave room for a figure."""
    return sum(item.lines for item in items) <= 3
