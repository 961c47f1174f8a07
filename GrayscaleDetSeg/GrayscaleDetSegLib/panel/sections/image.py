"""The choice of the image, and how it was read."""

from __future__ import annotations

from types import SimpleNamespace

from slicer.i18n import tr as _

from ...core.errors import GrayscaleDetSegError
from ...scene.nodes import attribute
from ...scene.volumes import file_of
from ..section import Section
from ..session import Session
from ..slices import current_slice
from ..state import State

AS_IS = "as is"
"""What ``scene.volumes`` notes of an image that was not inverted."""


class Image(Section):
    """The image. Its selector is connected to the parameters."""

    order = 200
    _seen: tuple = ()
    _spacing = None

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """As :meth:`Section.attach`."""
        super().attach(session, ui)
        session.chosen.connect(self._on_chosen)
        ui.spacingButton.connect("clicked(bool)", lambda _on=False: self.set_spacing())

    def update(self, state: State) -> bool:
        """As :meth:`Section.update`."""
        volume = None if self.session.parameters is None else self.session.parameters.volume
        offered = None if volume is None else self._offered(volume)
        has_it = volume is not None and self.session.results.has_file_spacing(volume)
        button = self.ui.spacingButton
        button.visible = has_it or offered is not None
        button.enabled = state is State.IDLE
        if has_it:
            button.text = _("Take the file's spacing back")
            button.toolTip = _("Give the image the spacing back that Slicer has loaded it with.")
        elif offered is not None:
            button.text = _("Use the file's spacing")
            button.toolTip = _(
                "Slicer has loaded the image with another spacing than its file's: {row:g} x {column:g} mm by "
                "{source}. Then Slicer's own rulers measure as the areas here do. This button takes it back."
            ).format(row=offered.row, column=offered.column, source=offered.source)
        return True

    def leave(self) -> None:
        """As :meth:`Section.leave`."""
        self._seen, self._spacing = (), None  # another scene's volumes have the same ids

    def _offered(self, volume):
        """The spacing that the file offers; looked for anew only where the volume has another file, spacing or slice
        now.
        """
        try:
            source = volume.GetAttribute("DICOM.instanceUIDs"), file_of(volume)
            now = volume.GetID(), volume.GetSpacing(), source, current_slice(volume)
        except GrayscaleDetSegError:  # it holds no pixels yet
            return None
        if now != self._seen:
            self._seen, self._spacing = now, self.session.results.offered_spacing(volume, now[-1])
        return self._spacing

    def set_spacing(self) -> None:
        """Give the image the spacing of its file, or undo that."""
        session = self.session
        volume = None if session.parameters is None else session.parameters.volume
        if volume is None or not self.ui.spacingButton.enabled:
            return
        on = not session.results.has_file_spacing(volume)
        try:
            done = session.results.set_file_spacing(volume, current_slice(volume), on)
        except GrayscaleDetSegError as error:
            session.messages.fail(error)
            return
        if done:
            row, column = (volume.GetSpacing()[axis] for axis in (1, 0))
            text = _("The image has the spacing {row:g} x {column:g} mm (row x column) now.")
            session.messages.say(text.format(row=row, column=column))
            session.layout.show_volume(volume)
        session.choices.show_found(session.node)
        session.changed.emit()

    def _on_chosen(self, volume) -> None:
        text = reading_text(volume)
        self.ui.readingLabel.text, self.ui.readingLabel.toolTip = reading_text(volume, briefly=True), text
        for widget in (self.ui.readingLabel, self.ui.readingTitleLabel):
            widget.visible = bool(text)


def reading_text(volume, briefly: bool = False) -> str:
    """How a volume was read when it was last segmented; an empty text before. `briefly` shortens the usual case."""
    if volume is not None and attribute(volume, "Window") is not None:
        return _("values {window} from black to white, by {source}; {spacing}.").format(
            window=attribute(volume, "Window"),
            source=attribute(volume, "GraySource"),
            spacing=attribute(volume, "Spacing"),
        )
    if volume is None or attribute(volume, "Polarity") is None:
        return ""
    polarity, spacing, source = (attribute(volume, name) for name in ("Polarity", "Spacing", "SpacingSource"))
    if briefly and polarity == AS_IS and source:
        numbers = (spacing or "").replace(" mm (row x column)", "").split(" x ")
        sides = " x ".join(dict.fromkeys(f"{float(each):.3g}" for each in numbers))
        return _("{reason}; {sides} mm, by {source}.").format(
            reason=attribute(volume, "PolarityReason"), sides=sides, source=source
        )
    spacing = (
        _("spacing not known, so no areas in mm²")
        if not source
        else _("{spacing}, by {source}").format(spacing=spacing, source=source)
    )
    return _("{polarity}: {reason}; {spacing}.").format(
        polarity=polarity, reason=attribute(volume, "PolarityReason"), spacing=spacing
    )
