"""A report in Markdown as one HTML file that needs nothing else: pictures inside, no scripts, readable on paper."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown
from markdown.inlinepatterns import SimpleTagInlineProcessor
from markdown.treeprocessors import Treeprocessor

STYLE = """
body { font: 15px/1.45 "Helvetica Neue", Arial, sans-serif; color: #1a1a1a; max-width: 1500px; margin: 2em auto;
  padding: 0 1.5em; }
h1 { font-size: 1.7em; } h3 { font-size: 1.1em; }
h2 { font-size: 1.3em; margin-top: 2em; border-bottom: 1px solid #999; }
p, li { max-width: 62em; }
table { display: block; overflow-x: auto; border-collapse: collapse; margin: 1em 0; font-size: 13px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 3px 9px; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #666; } td.n { text-align: right; } small { color: #555; white-space: nowrap; }
figure { margin: 1.2em 0; } img { max-width: 100%; } figcaption { color: #444; font-size: 13px; max-width: 80em; }
code { font-size: 0.9em; background: #f2f2f2; padding: 1px 3px; overflow-wrap: anywhere; }
.missing { border-left: 4px solid #b35900; padding-left: 0.8em; }
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  body { margin: 0; padding: 0; max-width: none; font-size: 10pt; }
  table { display: table; font-size: 7pt; } th, td { padding: 1px 4px; } small { white-space: normal; }
  thead { display: table-header-group; } tr, figure { break-inside: avoid; } h2, h3 { break-after: avoid; }
  code { background: none; }
}
"""
INTERVAL = r"()(\([-+]?[\d.]+ to [-+]?[\d.]+\))"


def page(text: str, title: str, folder: Path) -> str:
    """The whole HTML file of a text in Markdown; pictures are read from paths below `folder`, HTML in it is text."""
    reader = Markdown(extensions=["tables"])
    reader.preprocessors.deregister("html_block")
    reader.inlinePatterns.deregister("html")
    reader.inlinePatterns.register(SimpleTagInlineProcessor(INTERVAL, "small"), "interval", 0)
    reader.treeprocessors.register(_Report(folder), "report", 0)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{reader.convert(text)}\n</body></html>\n"
    )


class _Report(Treeprocessor):
    """Marks numbers and missing parts, and makes figures of the paragraphs that are a picture."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def run(self, root: Element) -> None:
        for cell in root.iter("td"):
            if re.match(r"[-+]?\d", "".join(cell.itertext())):
                cell.set("class", "n")
        for paragraph in root.iter("p"):
            if "".join(paragraph.itertext()).startswith("Missing"):
                paragraph.set("class", "missing")
            elif len(paragraph) == 1 and paragraph[0].tag == "img":
                self._picture(paragraph, paragraph[0])

    def _picture(self, figure: Element, image: Element) -> None:
        path, caption = self.folder / image.get("src", ""), image.get("alt", "")
        if path.is_file():
            figure.tag = "figure"
            image.set("src", f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}")
            SubElement(figure, "figcaption").text = caption
        else:  # removed by hand: the tables of a long run are worth having without it
            figure.remove(image)
            SubElement(figure, "strong").text = "Missing:"
            figure[0].tail = f" {caption} ({path.name}). Do this part again to have it."
