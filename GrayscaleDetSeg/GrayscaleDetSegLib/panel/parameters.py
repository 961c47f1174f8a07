"""What the user has chosen in the panel, kept on a node of the scene and saved with it."""

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
    """Whether values are inverted before segmenting."""

    AUTO = "auto"
    INVERTED = "inverted"
    AS_IS = "as-is"

    def label(self) -> str:
        """As the panel says it."""
        return {"auto": _("Automatic"), "inverted": _("Inverted"), "as-is": _("As is")}[self.value]


class Device(enum.Enum):
    """What computes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"

    def label(self) -> str:
        """As the panel says it."""
        names = {"auto": _("Automatic"), "cpu": _("CPU"), "cuda": _("NVIDIA GPU (CUDA)"), "mps": _("Apple GPU (MPS)")}
        return names[self.value]


@parameterNodeWrapper
class Parameters:
    """The parameters of the module.

    volume: the radiograph. segmentation: the result that is shown, None for a new one. model: its ``Model.key``, the
    folder of a bundle, or nothing for the shipped one. method: the name of a method, or nothing for the model's own.
    The rest: see ``SegmentOptions``.
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
    """The choices as the library takes them."""
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
    """Tie the widgets of a .ui file to the parameters that they name; returns what unties them.

    Slicer 5.8's ``connectGui`` does not give back the tag by which ``disconnectGui`` would know it, and in 5.8 and 5.10
    ``disconnectGui`` leaves its observer on the node: a second visit of the module would tie all widgets twice.
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
