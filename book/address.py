"""Say where the course lives, everywhere at once: ``make address URL=https://github.com/me/course``.

The address is kept in ``_config.yml``. Whatever else names it (README, citation, package metadata,
the notebooks' install cells and badges) is rewritten to agree; a test holds that it does.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = re.compile(r"https://github\.com/([\w.-]+/[\w-](?:[\w.-]*[\w-])?)")
KINDS = {".yml", ".md", ".cff", ".toml", ".ipynb", ".py", ".cfg", ".txt"}


def current(root: Path = ROOT) -> str:
    """Return the repository's ``owner/name`` from ``_config.yml``."""
    found = re.search(rf"^  url: {ADDRESS.pattern}$", (root / "_config.yml").read_text(), re.M)
    if not found:
        raise ValueError("_config.yml: expected repository, url: https://github.com/OWNER/NAME")
    return found[1]


def mentions(slug: str) -> re.Pattern[str]:
    """Match a repository's ``owner/name`` in links to it and in links that open it in Colab."""
    return re.compile(rf"((?<=github\.com/)|(?<=\.com/github/)){re.escape(slug)}(?![\w-])")


def files(root: Path = ROOT, kinds: set[str] | None = KINDS) -> list[Path]:
    """The repository's files of these kinds (by default, those that may name its address)."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    paths = (root / name for name in listed if kinds is None or Path(name).suffix in kinds)
    return [path for path in paths if path.is_file()]


def with_stamp(before: str, after: str) -> str:
    """Let a notebook's stamp stand for its moved text: its outputs don't depend on the address.

    A stamp that was stale before stays stale.
    """
    sys.path.insert(0, str(ROOT / "notebooks"))
    import sources

    old, new = (nbformat.reads(text, as_version=4) for text in (before, after))
    stamp = old.metadata.get("vidgen")
    if stamp is None or stamp["modules"] != (hashes := sources.source_hashes(old)):
        return after
    moved = {**hashes, "cells": sources.source_hashes(new)["cells"]}
    after = after.replace(stamp["sources"], sources.combined(moved))
    return after.replace(hashes["cells"], moved["cells"])


def move(url: str, root: Path = ROOT) -> list[Path]:
    """Rewrite the address to ``url`` and return the files that changed.

    Raises:
        ValueError: the address is not ``https://github.com/OWNER/NAME``.
    """
    url = url.rstrip("/").removesuffix(".git")
    if not (new := ADDRESS.fullmatch(url)):
        raise ValueError(f"URL: expected https://github.com/OWNER/NAME, got {url!r}")
    pattern = mentions(current(root))
    changed = []
    for path in files(root):
        before = path.read_text(encoding="utf-8")
        after = pattern.sub(new[1], before)
        if path.suffix == ".ipynb":
            after = with_stamp(before, after)
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    try:
        for path in move(sys.argv[1]) if len(sys.argv) > 1 else []:
            print(f"address: {path.relative_to(ROOT)}")
    except ValueError as error:
        sys.exit(f"address: {error}")
    print(f"address: https://github.com/{current()}")
