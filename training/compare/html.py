"""A report in Markdown as one HTML file that needs nothing else: pictures inside, no scripts, readable on paper.

Only what the comparison writes is understood: headings, paragraphs, tables, lists, pictures on a line of their own,
`code` and **bold**.
"""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path

STYLE = """
body { font: 15px/1.45 "Helvetica Neue", Arial, sans-serif; color: #1a1a1a; max-width: 1500px; margin: 2em auto;
  padding: 0 1.5em; }
h1 { font-size: 1.7em; } h3 { font-size: 1.1em; }
h2 { font-size: 1.3em; margin-top: 2em; border-bottom: 1px solid #999; }
p, li { max-width: 62em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1em 0; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 9px; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #666; } td.n { text-align: right; } small { color: #555; white-space: nowrap; }
figure { margin: 1.2em 0; } img { max-width: 100%; } figcaption { color: #444; font-size: 13px; max-width: 80em; }
code { font-size: 0.9em; background: #f2f2f2; padding: 1px 3px; overflow-wrap: anywhere; }
.missing { border-left: 4px solid #b35900; padding-left: 0.8em; }
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  body { margin: 0; padding: 0; max-width: none; font-size: 10pt; }
  .wide { overflow: visible; } table { font-size: 7pt; } th, td { padding: 1px 4px; } small { white-space: normal; }
  thead { display: table-header-group; } tr, figure { break-inside: avoid; } h2, h3 { break-after: avoid; }
  code { background: none; }
}
"""


def page(markdown: str, title: str, folder: Path) -> str:
    """The whole HTML file; pictures are read from paths below `folder`."""
    body = "\n".join(_block(block.strip("\n"), folder) for block in re.split(r"\n{2,}", markdown) if block.strip())
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _block(block: str, folder: Path) -> str:
    lines = block.splitlines()
    heading = re.match(r"(#{1,3}) (.+)", lines[0])
    if heading:
        level = len(heading[1])
        rest = "\n".join(lines[1:])
        return f"<h{level}>{_inline(heading[2])}</h{level}>" + (_block(rest, folder) if rest.strip() else "")
    picture = re.fullmatch(r"!\[(.*)\]\((.+)\)", block)
    if picture:
        return _picture(picture[1], folder / picture[2])
    if lines[0].startswith("|"):
        return _table(lines)
    if all(line.startswith("- ") for line in lines):
        return "<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>"
    kind = ' class="missing"' if lines[0].startswith("**Missing") else ""
    return f"<p{kind}>{_inline(' '.join(lines))}</p>"


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if not _is_rule(line)]
    head = "".join(f"<th>{_inline(cell)}</th>" for cell in rows[0])
    body = "\n".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows[1:])
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _is_rule(line: str) -> bool:
    return bool(line) and not line.strip("|-: ")


def _cell(text: str) -> str:
    kind = ' class="n"' if re.match(r"(\*\*)?[-+]?\d", text) else ""
    return f"<td{kind}>{_inline(text)}</td>"


def _inline(text: str) -> str:
    text = html.escape(text, quote=False)
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    text = re.sub(r"`(.+?)`", r"<code>\1</code>", text)
    return re.sub(r"(\([-+]?[\d.]+ to [-+]?[\d.]+\))", r"<small>\1</small>", text)


def _picture(caption: str, path: Path) -> str:
    if not path.is_file():  # removed by hand: the tables of a long run are worth having without it
        return f"<p><b>Missing:</b> {_inline(caption)} ({html.escape(path.name)}). Do this part again to have it.</p>"
    content = base64.b64encode(path.read_bytes()).decode()
    label = html.escape(caption, quote=True)
    return (
        f'<figure><img alt="{label}" src="data:image/png;base64,{content}">'
        f"<figcaption>{_inline(caption)}</figcaption></figure>"
    )
