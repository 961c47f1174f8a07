"""What the user has chosen in the panel, kept on a node of the scene and saved with it."""

# No "from __future__ import annotations" here: the decorator looks at the types themselves.
import enum
from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from ..logic.options import Options


class Polarity(enum.Enum):
    """Whether values are inverted before segmenting."""

    AUTO = "auto"
    INVERTED = "inverted"
    AS_IS = "as-is"

    def label(self) -> str:
        """As the panel says it."""
        return {"auto": _("Automatic"), "inverted": _("Inverted"), "as-is": _("As is")}[self.value]


class Method(enum.Enum):
    """What makes the masks."""

    SURFACES = "surfaces"
    BOX = "box"

    def label(self) -> str:
        """As the panel says it."""
        return {"surfaces": _("Threshold surfaces"), "box": _("Single box")}[self.value]


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

    volume: the radiograph. segmentation: the result that is shown, None for a new one. The rest: see ``Options``.
    """

    volume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    polarity: Polarity = Polarity.AUTO
    method: Method = Method.SURFACES
    device: Device = Device.AUTO
    scoreThreshold: Annotated[float, WithinRange(0, 1)] = 0.3
    cleanUp: bool = True
    showCloud: bool = True


def options_of(parameters: Parameters) -> Options:
    """The choices as the library takes them."""
    return Options(
        method=parameters.method.value,
        polarity=parameters.polarity.value,
        clean_up=parameters.cleanUp,
        score_threshold=parameters.scoreThreshold,
        device=parameters.device.value,
    )
