"""The log: all that was said, to be copied for a report."""

from __future__ import annotations

from ..section import Section


class Log(Section):
    """Its widgets are ``Messages``'s."""

    order = 900
