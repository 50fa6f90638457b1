"""The directive ``quiz``: a question whose options open to say whether they are right, and why.

The content is a definition list. Each term begins with ``right:`` or ``wrong:``, and its definition
explains the option::

    :::{quiz} Which of the two is even?

    right: $2$
    : It is twice one.

    wrong: $3$
    : Someone may think so who counts from zero.
    :::

On a page every option is a native ``details`` element, so a keyboard opens it and no script is
needed. Where pages are not HTML, the text stands there as plain paragraphs.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

VERDICTS = {"right": "Right.", "wrong": "Not quite."}


# Other builders write a node as the class that it derives from.
class quiz(nodes.container):
    """The whole quiz; its first child is the question."""


class quiz_question(nodes.paragraph):
    """What is asked."""


class quiz_option(nodes.container):
    """An option and its explanation."""


class quiz_choice(nodes.paragraph):
    """The text of an option."""


def option(item: nodes.definition_list_item) -> quiz_option:
    """Turn a term and its definition into an option.

    Raises:
        ValueError: the term does not begin with ``right:`` or ``wrong:``, or nothing comes after.
    """
    term, *definitions = item.children
    first = next(term.findall(nodes.Text), nodes.Text(""))
    verdict, colon, rest = first.partition(":")
    if verdict not in VERDICTS or not colon or not term.astext().partition(":")[2].strip():
        raise ValueError(f"expected 'right: …' or 'wrong: …', found {term.astext()!r}")
    first.parent.replace(first, nodes.Text(rest.lstrip()))
    explanation = [node for definition in definitions for node in definition.children]
    if all(isinstance(node, nodes.Invisible) or not node.astext() for node in explanation):
        raise ValueError(f"no explanation of the option {term.astext()!r}")
    if not isinstance(explanation[0], nodes.paragraph):
        explanation.insert(0, nodes.paragraph())
    explanation[0][:0] = [nodes.strong(text=VERDICTS[verdict]), nodes.Text(" ")]
    choice = quiz_choice("", "", *term.children)
    return quiz_option("", choice, *explanation, classes=[verdict])


def options(content: nodes.Element) -> list[quiz_option]:
    """Turn a definition list into options, of which at least one is right.

    Raises:
        ValueError: there is something else, fewer than two options, or no right one.
    """
    for node in content.children:
        if not isinstance(node, nodes.definition_list):
            raise ValueError(
                f"expected options, each followed by ': explanation', found {node.astext()!r}"
            )
    found = [option(item) for item in content.findall(nodes.definition_list_item)]
    if len(found) < 2:
        raise ValueError(f"expected two options or more, found {len(found)}")
    if not any("right" in each["classes"] for each in found):
        raise ValueError("no option is right")
    return found


class Quiz(SphinxDirective):
    """A question, given as the argument, and its options."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        content = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, content)
        asked, problems = self.state.inline_text(self.arguments[0], self.lineno)
        name = f"quiz-{self.env.new_serialno('quiz') + 1}"
        try:
            found = options(content)
        except ValueError as error:
            raise self.error(f"quiz {self.arguments[0]!r}: {error}") from error
        return [quiz("", quiz_question("", "", *asked, ids=[name]), *found), *problems]


def visit_quiz(self: HTML5Translator, node: quiz) -> None:
    labelled = {"role": "group", "aria-labelledby": node[0]["ids"][0]}
    self.body.append(self.starttag(node, "div", CLASS="quiz", **labelled))


def depart_quiz(self: HTML5Translator, node: quiz) -> None:
    self.body.append("</div>\n")


def visit_question(self: HTML5Translator, node: quiz_question) -> None:
    self.body.append(self.starttag(node, "p", "", CLASS="quiz-question"))
    self.body.append('<span class="quiz-label">Check yourself</span> ')


def depart_question(self: HTML5Translator, node: quiz_question) -> None:
    self.body.append("</p>\n")


def visit_option(self: HTML5Translator, node: quiz_option) -> None:
    self.body.append(self.starttag(node, "details", CLASS="quiz-option"))


def depart_option(self: HTML5Translator, node: quiz_option) -> None:
    self.body.append("</details>\n")


def visit_choice(self: HTML5Translator, node: quiz_choice) -> None:
    self.body.append(self.starttag(node, "summary", ""))


def depart_choice(self: HTML5Translator, node: quiz_choice) -> None:
    self.body.append("</summary>\n")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("quiz", Quiz)
    app.add_node(quiz, html=(visit_quiz, depart_quiz))
    app.add_node(quiz_question, html=(visit_question, depart_question))
    app.add_node(quiz_option, html=(visit_option, depart_option))
    app.add_node(quiz_choice, html=(visit_choice, depart_choice))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
