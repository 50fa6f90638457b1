"""A submission's page of feedback: plain HTML that any browser and screen reader can read."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grade import Graded, Mark

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: {name}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 45rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.6 sans-serif; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid; padding: .2rem .7rem; text-align: left; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
pre {{ border-left: .3rem solid; padding-left: 1rem; }}
</style>
</head>
<body>
<main>
<h1>{title}: {name}</h1>
<p>File: {file}</p>
{whole}<p>{total} of {most} points, without the written part.</p>
<table>
<caption>Points</caption>
<thead><tr><th scope="col">Question</th><th scope="col">Points</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
{sections}
{note}</main>
</body>
</html>
"""


def page(one: Graded, asked: dict[str, Any], note: str) -> str:
    """The page.

    Args:
        one: the graded submission.
        asked: the questions, by number.
        note: what to say of the conditions; nothing if it is empty.
    """
    rows = [
        f'<tr><th scope="row">{number} {escape(q["title"])}</th>'
        f"<td>{given(one.marks[number], q)}</td></tr>"
        for number, q in asked.items()
    ]
    return PAGE.format(
        title=f"Homework {next(iter(asked)).partition('.')[0]}",
        name=escape(one.submission.name),
        file=escape(one.submission.file),
        whole=paragraph(f"Note: {one.reason}." if one.reason else ""),
        total=f"{one.total:g}",
        most=sum(q["points"] for q in asked.values() if q["kind"] != "text"),
        rows="\n".join(rows),
        sections="\n".join(section(n, q, one.marks[n]) for n, q in asked.items()),
        note=paragraph(note),
    )


def section(number: str, question: dict[str, Any], mark: Mark) -> str:
    """What is said of one question."""
    told = mark.said or ("All is as expected." if mark.points else "There is no answer.")
    parts = [
        f"<h2>{number} {escape(question['title'])}</h2>\n",
        f"<p>{given(mark, question)} points.</p>\n",
    ]
    if question["kind"] != "text" or mark.said:
        parts.append(block(told))
    if mark.written:
        parts.append(f"<h3>What you wrote</h3>\n{block(mark.written)}")
    if question["kind"] == "text":
        parts.append(f"<h3>How it is marked</h3>\n{block(question['rubric'])}")
    return "".join(parts)


def given(mark: Mark, question: dict[str, Any]) -> str:
    """The points in words."""
    got = "To be marked by a person, out" if mark.points is None else f"{mark.points:g}"
    return f"{got} of {question['points']}"


def paragraph(text: str) -> str:
    """A paragraph, or nothing."""
    return f"<p>{escape(text)}</p>\n" if text else ""


def block(text: str) -> str:
    """Text with its lines as they are."""
    return f"<pre>{escape(text.strip())}</pre>\n"
