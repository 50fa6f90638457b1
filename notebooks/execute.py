"""Run the course's notebooks and keep their outputs, ready to publish.

    python notebooks/execute.py notebooks/1_gan_objective.ipynb --preset laptop

Each notebook runs from its first cell to its last in a fresh kernel of this interpreter and in an
empty scratch folder, as on a student's machine. Its file is replaced only when every cell passed.
What differs from one run or machine to the next (paths, widget numbers, frames of a progress bar)
is taken out of the outputs, and the notebook's metadata say under ``vidgen`` what ran where::

    preset, date, device, versions, seconds, checks (cells tagged "check", all passed),
    sources: sha256 of all that the outputs depend on (see sources.py), modules: part by part
"""

from __future__ import annotations

import argparse
import datetime
import html
import json
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from sources import LIBRARY, ROOT, code_cells, combined, source_hashes, tags

RUNS = ROOT / "runs"  # git ignores it
SCRATCH = "vidgen_scratch_"  # how the names of scratch folders begin
PRESETS = ("smoke", "laptop", "gpu", "paper")
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


# ---- Outputs that look the same wherever they were made ------------------------------------------

# Folders in which people and machines keep their own files; the second part is for this machine.
_HERE = {str(ROOT), str(Path.home()), sys.prefix, sys.base_prefix, tempfile.gettempdir()} - {"/"}
_FOLDERS = "|".join(
    ["/(?:home|root|tmp|work|mnt|opt|usr|var|srv|private|Users|Volumes)", r"[A-Za-z]:\\+\w+"]
    + [re.escape(folder) for folder in sorted(_HERE, key=len, reverse=True)]
)
# What stands before keeps out web addresses and the slashes inside base64.
MACHINE_PATH = re.compile(rf"(?:file://|(?<![\w+/=.~%-]))(?:{_FOLDERS})[/\\][^\s\"'<>|:;,)\]}}]*")
# Said to the person at the keyboard, not to the reader.
NOISE = re.compile(r"(Kernel is running over TCP|you may need to restart the kernel|\[notice\])")


def portable_path(path: str) -> str:
    """A path without the part that is only true on one machine."""
    path = path.removeprefix("file://").replace("\\", "/")
    if "/ipykernel_" in path:
        return "cell.py"
    if "/site-packages/" in path:
        return path.rpartition("/site-packages/")[2]
    if f"/{LIBRARY}/" in path:
        return LIBRARY + path[path.rindex(f"/{LIBRARY}/") + len(LIBRARY) + 1 :]
    if f"/{SCRATCH}" in path:
        return re.sub(rf".*/{SCRATCH}\w+", ".", path)
    return "…/" + path.rstrip("/").rpartition("/")[2]


def portable_text(text: str) -> str:
    """Text without this machine's paths and without addresses in memory."""
    text = MACHINE_PATH.sub(lambda match: portable_path(match[0]), text)
    return re.sub(r" at 0x[0-9a-fA-F]{6,}", "", text)


def final_state(text: str) -> str:
    """What a terminal would show in the end: of each line's redrawn states only the last."""
    lines = [re.split(r"\r+", line.rstrip("\r")) for line in text.split("\n")]
    shown = [next((s for s in reversed(states) if s.strip()), "") for states in lines]
    return "\n".join(line for line in shown if not NOISE.search(line))


def merged_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs, with pieces of one stream that follow each other joined and settled."""
    merged: list[NotebookNode] = []
    for output in outputs:
        same = merged and output.output_type == merged[-1].output_type == "stream"
        if same and output.name == merged[-1].name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    for output in merged:
        if output.output_type == "stream":
            output.text = final_state(output.text)
    return [output for output in merged if output.output_type != "stream" or output.text.strip()]


def bar_text(models: dict[str, Any], model_id: str) -> str | None:
    """The final state of a tqdm bar as text, or None if this widget is not a tqdm bar."""
    children = models[model_id]["state"].get("children", [])
    parts = [models.get(child.removeprefix("IPY_MODEL_"), {}) for child in children]
    names = [part.get("model_name") for part in parts]
    if names != ["HTMLModel", "FloatProgressModel", "HTMLModel"]:
        return None
    before, bar, after = (part["state"] for part in parts)
    filled = round(10 * bar["value"] / bar["max"]) if bar.get("max") else 0
    text = f"{before['value']}|{'█' * filled}{' ' * (10 - filled)}|{after['value']}"
    return html.unescape(text).replace("\u2007", " ")  # tqdm pads with figure spaces


def settle_widgets(notebook: NotebookNode) -> None:
    """Turn progress bars into text and keep the state of the displayed widgets only."""
    models = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    for cell in code_cells(notebook):
        for output in list(cell.outputs):
            view = output.get("data", {}).get(WIDGET_VIEW)
            if view is None:
                continue
            if view["model_id"] not in models:  # closed, as a bar that does not stay
                cell.outputs.remove(output)
            elif (text := bar_text(models, view["model_id"])) is not None:
                output.data = NotebookNode({"text/plain": text})
    shown = displayed_models(models, json.dumps([cell.outputs for cell in code_cells(notebook)]))
    for model_id in set(models) - shown:
        del models[model_id]
    if not models:
        notebook.metadata.pop("widgets", None)


def displayed_models(models: dict[str, Any], outputs: str) -> set[str]:
    """The widgets that outputs show, with all that they are made of and the links among them."""
    named = re.compile(r'(?:IPY_MODEL_|"model_id": ")(\w+)')
    parts = {name: set(named.findall(json.dumps(model))) for name, model in models.items()}
    shown: set[str] = set()
    waiting = set(named.findall(outputs)) & set(models)
    while waiting:
        shown |= waiting
        linked = {
            name
            for name, model in models.items()
            if model["model_name"] in ("LinkModel", "DirectionalLinkModel") and parts[name] <= shown
        }
        waiting = (linked.union(*(parts[name] for name in shown)) & set(models)) - shown
    return shown


def numbered_widgets(notebook: NotebookNode) -> NotebookNode:
    """The notebook with its widgets' random identifiers replaced by 1, 2, 3 ..."""
    models = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    text = json.dumps(notebook)
    for number, model_id in enumerate(models, start=1):
        text = text.replace(model_id, f"{number:032x}")
    return nbformat.from_dict(json.loads(text))


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """A nested value with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return NotebookNode({key: each_text(item, change) for key, item in value.items()})
    return [each_text(item, change) for item in value] if isinstance(value, list) else value


def cleaned(notebook: NotebookNode) -> NotebookNode:
    """The executed notebook without what is true of one run or one machine only."""
    settle_widgets(notebook)
    for cell in code_cells(notebook):
        cell.outputs = each_text(merged_streams(cell.outputs), portable_text)
        for key in ("execution", "ExecuteTime"):
            cell.metadata.pop(key, None)
    if "widgets" in notebook.metadata:
        notebook.metadata.widgets = each_text(notebook.metadata.widgets, portable_text)
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata.kernelspec = NotebookNode(spec)
    return numbered_widgets(notebook)


# ---- Running -------------------------------------------------------------------------------------


class Runner(NotebookClient):
    """Runs a notebook with this very interpreter and says on the terminal how far it is."""

    def create_kernel_manager(self) -> Any:
        """A manager that knows one kernel: this interpreter, whatever kernels are installed."""
        from ipykernel.kernelspec import RESOURCES, get_kernel_dict
        from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

        class ThisInterpreter(KernelSpecManager):
            def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
                return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())

        self.km = self.kernel_manager_class(kernel_spec_manager=ThisInterpreter())
        return self.km

    def handle_comm_msg(self, outs: list[NotebookNode], msg: Any, cell_index: int) -> None:
        """Follow widgets: forget the closed ones, show on a terminal where progress bars stand."""
        super().handle_comm_msg(outs, msg, cell_index)
        comm = msg["content"]["comm_id"]
        if msg["msg_type"] == "comm_close":
            self.widget_state.pop(comm, None)
        state = self.widget_state.get(comm, {})
        if state.get("_model_name") == "FloatProgressModel" and sys.stdout.isatty():
            share = state["value"] / (state.get("max") or 1)
            print(f"\r\033[K{share:8.0%}", end="", flush=True)


def progress_hooks(notebook: NotebookNode) -> dict[str, Callable[..., None]]:
    """Hooks that print a line a cell: its number, how it begins, its seconds, its judgement."""
    order = {id(cell): number for number, cell in enumerate(code_cells(notebook), start=1)}
    started: dict[str, float] = {}

    def start(cell: NotebookNode, cell_index: int) -> None:
        if id(cell) in order:
            started["cell"] = time.perf_counter()
            title = next((line for line in cell.source.splitlines() if line.strip()), "")
            print(f"[{order[id(cell)]:2}/{len(order)}] {title[:70]}", flush=True)

    def done(cell: NotebookNode, cell_index: int, execute_reply: Any) -> None:
        seconds = time.perf_counter() - started["cell"]
        clear = "\r\033[K" if sys.stdout.isatty() else ""
        print(f"{clear}        {seconds:.1f} s", flush=True)
        if "check" in tags(cell):
            print(*(out.text for out in cell.outputs if "text" in out), sep="", end="", flush=True)

    return {"on_cell_execute": start, "on_cell_executed": done}


def device_name() -> str:
    """The GPU's name where torch sees one, else e.g. ``2-core CPU``."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return f"{os.cpu_count()}-core CPU"


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    import numpy
    import torch

    import vidgen_lite

    modules = {"torch": torch, "numpy": numpy, LIBRARY: vidgen_lite}
    return {"python": platform.python_version()} | {
        name: str(module.__version__) for name, module in modules.items()
    }


def run(notebook: NotebookNode, preset: str) -> NotebookNode:
    """Execute a notebook in an empty scratch folder and return it cleaned and stamped.

    Raises:
        CellExecutionError: a cell failed; ``notebook`` holds the outputs up to there.
        DeadKernelError: the kernel died, most often for lack of memory.
    """
    hashes = source_hashes(notebook)  # of what is read now, should a file change meanwhile
    notebook.metadata.pop("widgets", None)
    with tempfile.TemporaryDirectory(prefix=SCRATCH) as scratch:
        runner = Runner(
            notebook,
            timeout=None,
            startup_timeout=300,
            store_widget_state=True,
            record_timing=False,
            force_raise_errors=True,
            **progress_hooks(notebook),
        )
        begin = time.perf_counter()
        runner.execute(cwd=scratch, env={**os.environ, "VIDGEN_PRESET": preset})
        seconds = time.perf_counter() - begin
    executed = cleaned(notebook)
    executed.metadata["vidgen"] = {
        "preset": preset,
        "date": datetime.date.today().isoformat(),
        "device": device_name(),
        "versions": versions(),
        "seconds": round(seconds, 1),
        "checks": sum("check" in tags(cell) for cell in code_cells(executed)),
        "sources": combined(hashes),
        "modules": hashes,
    }
    return executed


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook under a temporary name, then rename: no half-written file is ever seen."""
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def execute(path: Path, preset: str, into: Path | None = None) -> Iterator[str]:
    """Execute one notebook file in place (or ``into`` a folder); yield what went wrong.

    What a run had computed that could not be written there is kept in ``runs/``, to look at.
    """
    before = path.read_bytes()
    notebook = nbformat.reads(before.decode(), as_version=4)
    aside = RUNS / path.name
    try:
        executed = run(notebook, preset)
    except (CellExecutionError, DeadKernelError, SyntaxError) as error:
        write(notebook, aside)
        yield f"{path} is unchanged; see {aside}\n{error}"
        return
    if into is None and path.read_bytes() != before:
        write(executed, aside)
        yield f"{path} was edited while it ran and is left as it is; the run is in {aside}"
        return
    write(executed, path if into is None else into / path.name)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Run notebooks and keep their outputs.")
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--preset", choices=PRESETS, default="laptop", help="default: laptop")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="write there, not in place")
    options = parser.parse_args(arguments)
    faults = []
    for path in options.notebooks:
        print(f"{path} (preset {options.preset})", flush=True)
        faults += execute(path, options.preset, options.into)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
