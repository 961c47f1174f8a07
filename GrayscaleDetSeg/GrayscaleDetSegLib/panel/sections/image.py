"""Which radiograph is segmented, and how it was understood."""

from __future__ import annotations

from types import SimpleNamespace

from slicer.i18n import tr as _

from ...scene.nodes import attribute
from ..section import Section
from ..session import Session


class Image(Section):
    """The image; its selector is tied to the parameters."""

    order = 200

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """As :meth:`Section.attach`."""
        super().attach(session, ui)
        session.chosen.connect(self._on_chosen)

    def _on_chosen(self, volume) -> None:
        text = reading_text(volume)
        self.ui.readingLabel.text = text
        for widget in (self.ui.readingLabel, self.ui.readingTitleLabel):
            widget.visible = bool(text)


def reading_text(volume) -> str:
    """How a volume was understood when it was segmented last; nothing before."""
    if volume is not None and attribute(volume, "Window") is not None:
        return _("values {window} from black to white, by {source}; {spacing}.").format(
            window=attribute(volume, "Window"),
            source=attribute(volume, "GraySource"),
            spacing=attribute(volume, "Spacing"),
        )
    if volume is None or attribute(volume, "Polarity") is None:
        return ""
    spacing, source = attribute(volume, "Spacing"), attribute(volume, "SpacingSource")
    spacing = (
        _("spacing not known, so no areas in mm²")
        if not source
        else _("{spacing}, by {source}").format(spacing=spacing, source=source)
    )
    return _("{polarity}: {reason}; {spacing}.").format(
        polarity=attribute(volume, "Polarity"), reason=attribute(volume, "PolarityReason"), spacing=spacing
    )
