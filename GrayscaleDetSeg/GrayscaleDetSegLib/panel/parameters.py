"""The user's choices in the panel, stored on a node of the scene and saved with it."""

# No "from __future__ import annotations" here: the decorator looks at the types themselves.
import enum
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import SlicerParameterNamePropertyName, WithinRange, parameterNodeWrapper

from ..core import old_formats
from ..core.options import SegmentOptions


class Polarity(enum.Enum):
    """Whether values are inverted before the segmentation."""

    AUTO = "auto"
    INVERTED = "inverted"
    AS_IS = "as-is"

    def label(self) -> str:
        """The text in the panel."""
        return {"auto": _("Automatic"), "inverted": _("Inverted"), "as-is": _("As is")}[self.value]


class Device(enum.Enum):
    """The device that computes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"

    def label(self) -> str:
        """The text in the panel."""
        names = {"auto": _("Automatic"), "cpu": _("CPU"), "cuda": _("NVIDIA GPU (CUDA)"), "mps": _("Apple GPU (MPS)")}
        return names[self.value]


@parameterNodeWrapper
class Parameters:
    """The parameters of the module.

    volume: the image. segmentation: the result that is shown, None for a new one. model: the ``Model.key``, which is
    the folder of a bundle, or an empty text for the shipped model. method: the name of a method, or an empty text for
    the model's default. For the others see ``SegmentOptions``.
    """

    volume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    polarity: Polarity = Polarity.AUTO
    model: str = ""
    method: str = ""
    device: Device = Device.AUTO
    scoreThreshold: Annotated[float, WithinRange(0, 1)] = 0.3
    cleanUp: bool = True
    exclusive: bool = False
    showCloud: bool = True


def options_of(parameters: Parameters) -> SegmentOptions:
    """Convert the choices to the library's options."""
    return SegmentOptions(
        method=old_formats.method_of(parameters.method) or None,
        polarity=parameters.polarity.value,
        clean_up=parameters.cleanUp,
        exclusive=parameters.exclusive,
        score_threshold=parameters.scoreThreshold,
        device=parameters.device.value,
        model=Path(parameters.model) if parameters.model else None,
    )


def connect(parameters: Parameters, ui: SimpleNamespace) -> Callable[[], None]:
    """Connect the widgets of a .ui file to the parameters that they name. Returns a function that disconnects them.

    Slicer 5.8's ``connectGui`` does not return the tag that ``disconnectGui`` needs, and in 5.8 and 5.10
    ``disconnectGui`` does not remove its observer from the node, so that a second visit of the module would connect all
    widgets twice.
    """
    made_by_slicer: Any = parameters  # with more than its class says
    node, tags, widgets = made_by_slicer.parameterNode, [], {}
    for widget in vars(ui).values():
        name = widget.property(SlicerParameterNamePropertyName)
        if name:
            widgets[name] = widget

    def observe(event, call, priority: float = 0.0) -> int:
        tags.append(node.AddObserver(event, call, priority))
        return tags[-1]

    made_by_slicer.AddObserver = observe  # while they are tied, in place of the class's own
    try:
        tag = made_by_slicer.connectParametersToGui(widgets)
    finally:
        del made_by_slicer.AddObserver

    def disconnect() -> None:
        made_by_slicer.disconnectGui(tag)
        for each in tags:
            node.RemoveObserver(each)

    return disconnect
