"""The directive ``quiz``: what it puts on a page, and which slips stop a build."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pages import ROOT
from sphinx.testing.util import SphinxTestApp

GOOD = """
:::{quiz} Is $2$ **even**?

right: Yes, as $2 = 2 \\cdot 1$.
: Twice *one*.

  And half of four.

wrong: No: it is prime.
: It is both.
:::
"""


SLIPS = {
    "wrong: a\n: b\n\nwrong: c\n: d": "no option is right",
    "right: a\n: b": "expected two options or more, found 1",
    "": "expected two options or more, found 0",
    "right: a\n: b\n\nwrong: c": "followed by ': explanation', found 'wrong: c'",
    "right: a\n: b\n\nwrong: c\n: % d": "no explanation of the option 'c'",
    "right: a\n: b\n\nperhaps: c\n: d": "found 'perhaps: c'",
    "right: a\n: b\n\nwrong:\n: d": "found 'wrong:'",
}


def build(text: str, folder: Path, builder: str = "html") -> tuple[str, str]:
    """A page made from ``text``, and what Sphinx warned of."""
    (folder / "index.md").write_text(f"# Title\n{text}", "utf-8")
    (folder / "conf.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / 'book' / '_ext')!r})\n"
        "extensions = ['myst_parser', 'sphinx.ext.mathjax', 'quiz']\n"
        "myst_enable_extensions = ['colon_fence', 'deflist', 'dollarmath']\n"
        "html_theme = 'basic'\n"
    )
    path = list(sys.path)
    app = SphinxTestApp(builder, srcdir=folder)
    try:
        app.build()
        page = next(Path(app.outdir).glob("index.*")).read_text(encoding="utf-8")
        return page, app.warning.getvalue()
    finally:
        app.cleanup()
        sys.path[:] = path


def test_a_quiz_is_a_labelled_group_of_closed_native_details(tmp_path: Path) -> None:
    page, warnings = build(GOOD, tmp_path)
    assert warnings == ""
    assert re.search(r'<div[^>]* aria-labelledby="quiz-1"[^>]* role="group"', page)
    assert '<p class="quiz-question" id="quiz-1">' in page
    assert "<strong>even</strong>" in page
    found = re.findall(r"<details[^>]*>\s*<summary>(.*?)</summary>(.*?)</details>", page, re.S)
    (yes, why), (no, why_not) = found
    assert "<details open" not in page
    assert yes.startswith("Yes, as <span class")
    assert no == "No: it is prime."
    assert " ".join(re.sub(r"<.*?>", "", why).split()) == "Right. Twice one. And half of four."
    assert re.sub(r"<.*?>", "", why_not).strip() == "Not quite. It is both."


def test_without_html_a_quiz_is_plain_text(tmp_path: Path) -> None:
    page, warnings = build(GOOD, tmp_path, "text")
    assert warnings == ""
    assert page.index("even") < page.index("Yes, as") < page.index("Right.") < page.index("No:")


def test_a_slip_in_a_quiz_is_an_error_that_names_it(tmp_path: Path) -> None:
    text = "".join(
        f"\n:::{{quiz}} What {i}?\n\n{content}\n:::\n" for i, content in enumerate(SLIPS)
    )
    page, warnings = build(text, tmp_path)
    assert "<details" not in page
    errors = [line for line in warnings.splitlines() if "ERROR" in line]
    for i, (message, error) in enumerate(zip(SLIPS.values(), errors, strict=True)):
        assert f"quiz 'What {i}?'" in error
        assert message in error
