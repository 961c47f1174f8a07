"""The log of all messages, which can be copied for a report."""

from __future__ import annotations

from ..section import Section


class Log(Section):
    """The section of the log; ``Messages`` fills its widgets."""

    order = 900
