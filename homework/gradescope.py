"""The autograder for Gradescope: an archive with the grader, the hidden tests and the library.

There, this module is what runs: it grades the one notebook handed in and writes ``results.json``.
The written answers are not in it: add them as a question that a person marks.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from grade import Grader, safely
from submissions import submissions

HERE = Path(__file__).resolve().parent
THERE = Path("/autograder")
MODULES = ("gradescope", "grade", "submissions", "sandbox", "worker", "feedback")
SETUP = """#!/usr/bin/env bash
set -e
apt-get update && apt-get install -y python3 python3-pip
export PIP_BREAK_SYSTEM_PACKAGES=1
python3 -m pip install {packages}
chmod 600 /autograder/source/hidden.json
"""
RUN = """#!/usr/bin/env bash
cd /autograder/source && python3 -B gradescope.py
"""


def autograder(hidden: str) -> bytes:
    """The archive, from a homework's hidden tests."""
    needs = [n for n in importlib.metadata.requires("vidgen-lite") or [] if ";" not in n]
    packages = " ".join(f"'{need}'" for need in needs)
    files = {"hidden.json": hidden, "setup.sh": SETUP.format(packages=packages)}
    files |= {"run_autograder": RUN}
    files |= {f"{name}.py": (HERE / f"{name}.py").read_text("utf-8") for name in MODULES}
    library = HERE.parent / "vidgen_lite"
    for path in sorted(library.rglob("*")):
        if path.suffix in (".py", ".json"):
            name = path.relative_to(library.parent).as_posix()
            files[name] = path.read_text(encoding="utf-8")
    return archive(files)


def archive(files: dict[str, str]) -> bytes:
    """A zip archive that is the same at every run."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as whole:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            whole.writestr(entry, text.encode(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def results(folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Grade the notebook in a folder, in the form that Gradescope reads."""
    try:
        handed_in = submissions(folder)[0]
    except ValueError:
        return {"score": 0, "output": "There is no notebook in what you handed in."}
    one = safely(Grader(asked), handed_in)
    tests = [
        {
            "number": question["id"],
            "name": question["title"],
            "score": one.marks[question["id"]].points,
            "max_score": question["points"],
            "output": one.marks[question["id"]].said or "All is as expected.",
        }
        for question in asked["questions"]
        if question["kind"] != "text"
    ]
    return {"output": one.reason, "tests": tests}


def main() -> None:
    """Grade what was handed in at Gradescope."""
    asked = json.loads((HERE / "hidden.json").read_text(encoding="utf-8"))
    found = results(THERE / "submission", asked)
    (THERE / "results" / "results.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
