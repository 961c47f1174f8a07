"""The report: what each part found is kept in a file of its own, and all that is there becomes one page.

``parts/NAME.md`` and ``parts/NAME.json`` hold a part; ``report.md`` and ``report.html`` are made of them each time.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..markdown_table import markdown_table
from . import provenance
from .html import page
from .records import keep_file

TITLE = "Our methods beside FCN, U-Net, U-Net++, Res-UNet and Attention U-Net"
PARTS = {
    "accuracy": "Accuracy on val",
    "pictures": "Pictures",
    "robustness": "Robustness",
    "cross": "Trained on some sets, tested on another",
    "curves": "Few training images",
    "time": "Time and memory by image size",
}
"""Name of a part -> its heading, in the order of the report."""


def keep(folder: Path, name: str, text: str, facts: dict) -> None:
    """Keep what a part found: its text in Markdown, and where it comes from."""
    keep_file(folder / "parts" / f"{name}.md", (text.strip() + "\n").encode())
    keep_file(folder / "parts" / f"{name}.json", (json.dumps(facts, indent=1) + "\n").encode())


def write(folder: Path, arguments: list[str]) -> str:
    """Write ``report.md`` and ``report.html`` of all parts that are there; returns the first."""
    text = markdown(folder, arguments)
    keep_file(folder / "report.md", text.encode())
    keep_file(folder / "report.html", page(text, TITLE, folder).encode())
    return text


def markdown(folder: Path, arguments: list[str]) -> str:
    """The whole report in Markdown; parts that were not computed are named, with the command that does it."""
    blocks, known = [f"# {TITLE}"], {}
    blocks.append("Everything is trained on the train part of the sets, chosen and measured on their val part.")
    for name, heading in PARTS.items():
        blocks.append(f"## {heading}")
        text, facts = folder / "parts" / f"{name}.md", folder / "parts" / f"{name}.json"
        if text.exists() and facts.exists():
            known[name] = json.loads(facts.read_text(encoding="utf-8"))
            blocks.append(text.read_text(encoding="utf-8").strip())
        else:
            blocks.append(f"**Missing.** This part was not computed. The command: `{_command(arguments, name)}`")
    blocks += ["## Where this comes from", f"Report written by `{provenance.command(arguments)}`.", *_origins(known)]
    return "\n\n".join(blocks) + "\n"


def _command(arguments: list[str], part: str) -> str:
    """The command for one part alone, with all other options as they are."""
    kept, skipping = [], False
    for argument in arguments:
        if argument.startswith("-"):
            skipping = argument == "--parts"
        if not skipping and not argument.startswith("--parts="):
            kept.append(argument)
    return provenance.command([*kept, "--parts", part])


def _origins(known: dict[str, dict]) -> list[str]:
    if not known:
        return []
    rows = []
    for name, facts in known.items():
        data = facts.get("data digest", "")[:12] or "simulated"
        rows.append([name, facts["finished"], f"{facts['seconds']:.0f}", data, facts["versions"]["GrayscaleDetSeg"]])
    commands = "\n".join(f"- {name}: `{facts['command']}`" for name, facts in known.items())
    blocks = [markdown_table(["part", "finished", "took, s", "data", "code"], rows), commands]
    digests = {facts["data digest"] for facts in known.values() if facts.get("data digest")}
    if len(digests) > 1:
        blocks.append("**Not all parts saw the same data** (column `data`): compute those again that matter.")
    machines = dict.fromkeys(facts["machine"] for facts in known.values())
    blocks.append("\n".join(f"- Machine: {text}" for text in machines))
    versions = dict.fromkeys(
        ", ".join(f"{key} {value}" for key, value in facts["versions"].items()) for facts in known.values()
    )
    models = dict.fromkeys(facts["model"] for facts in known.values() if "model" in facts)
    blocks.append("\n".join([*(f"- Versions: {text}" for text in versions), *(f"- Model: {name}" for name in models)]))
    data = next((facts["data"] for facts in known.values() if facts.get("data")), None)
    if data:
        rows = [[*(item[key] for key in ("set", "split", "images", "labels")), f"`{item['digest']}`"] for item in data]
        blocks.append(markdown_table(["set", "part", "images", "labels", "SHA-256 of images and labels"], rows))
    return blocks
