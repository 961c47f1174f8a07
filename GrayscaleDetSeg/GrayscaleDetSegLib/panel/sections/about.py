"""The top of the panel: the classes of the chosen model and its measured performance; one line while a result is shown.
"""

from __future__ import annotations

from types import SimpleNamespace

from slicer.i18n import tr as _

from ...logic.evidence import Evidence, evidence_of
from ...logic.models import Model
from ..section import Section
from ..session import Session
from ..state import State

FEW = 3
"""So many classes are named in one line."""


class About(Section):
    """A label about the chosen model."""

    order = 100

    def attach(self, session: Session, ui: SimpleNamespace) -> None:
        """As :meth:`Section.attach`."""
        super().attach(session, ui)
        self._said: tuple[Model | None, bool] = (None, False)

    def update(self, state: State) -> bool:
        """As :meth:`Section.update`."""
        model = self.session.model
        if model is None or model.problem:
            self._said = None, False
            return False
        briefly = self.session.node is not None  # the result needs the place
        if (model, briefly) != self._said:
            self._said = model, briefly
            evidence = evidence_of(model.folder, model.classes)
            whole = known(model, evidence)
            self.ui.knowsLabel.text = in_brief(model) if briefly else whole
            numbers = figures(model, evidence)
            self.ui.knowsLabel.toolTip = f"{whole}\n{numbers}" if briefly else numbers
        return True


def known(model: Model, evidence: Evidence) -> str:
    """The classes of a model and how well it finds them, in a few lines."""
    if not evidence.figures:
        text = _("Knows: {classes}. How well was not measured.").format(classes=", ".join(model.classes))
    else:
        lines = [_("Knows {number} kinds of objects.").format(number=len(model.classes))]
        for title, labels in (
            (_("Shown to work on: {classes}."), evidence.works),
            (_("Misses many: {classes}."), evidence.misses),
            (_("Not measured on real films: {classes}."), evidence.unmeasured),
        ):
            if labels:
                lines.append(title.format(classes=", ".join(labels)))
        text = "\n".join(lines)
    return f"{text} {_('Use: {use}.').format(use=model.use)}" if model.use else text


def in_brief(model: Model) -> str:
    """The same in one line. Many classes are only counted; the tooltip lists them."""
    if len(model.classes) <= FEW:
        text = _("Knows: {classes}.").format(classes=", ".join(model.classes))
    else:
        text = _("Knows {number} kinds of objects (point here).").format(number=len(model.classes))
    return f"{text} {_('Use: {use}.').format(use=model.use)}" if model.use else text


def figures(model: Model, evidence: Evidence) -> str:
    """The same with figures."""
    lines = [_("{model}: objects found of those measured, by class.").format(model=model.full_name)]
    for label, (number, share) in evidence.figures.items():
        lines.append(_("{label}: {share:.0%} of {number}").format(label=label, share=share, number=number))
    if len(lines) == 1:
        return _("{model} comes without figures: look at each result.").format(model=model.full_name)
    return "\n".join(lines)
