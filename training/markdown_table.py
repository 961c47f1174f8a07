"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(titles: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A table in Markdown with the titles of its columns; each row has a cell for each of them."""
    head, *body = (f"| {' | '.join(map(str, cells))} |" for cells in (titles, *rows))
    return "\n".join([head, "|" + "---|" * len(titles), *body])
