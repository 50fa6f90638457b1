"""What the tests of the built book share: its pages, and a build that is made only once."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "book"), str(ROOT / "notebooks")]
address, build, frontend, sources = map(
    importlib.import_module, ("address", "build", "frontend", "sources")
)


def _files(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _files(item)]
    if isinstance(node, dict):
        own = [node[key] for key in ("root", "file") if key in node]
        return own + [name for value in node.values() for name in _files(value)]
    return []


def pages() -> list[str]:
    """Every page of the book, in the order of its table of contents, without a suffix."""
    return _files(yaml.safe_load((ROOT / "_toc.yml").read_text()))


def notebook_pages() -> list[str]:
    """The pages made from notebooks."""
    return [page for page in pages() if (ROOT / f"{page}.ipynb").exists()]


def built_book() -> Path:
    """The folder of the built pages; builds them unless they are up to date."""
    return build.build()
