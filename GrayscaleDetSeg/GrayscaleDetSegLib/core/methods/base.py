"""What a method is: one class, which says of itself all that the rest of the program asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from ..radiograph import Radiograph
    from ..regions import RegionMask, Regions
    from ..stopwatch import Stopwatch
    from ..weights import Bundle


class Method(ABC):
    """A method: regions of an image in, a mask for each of them out.

    Importing its module must be light, because lists of methods are made of the classes: what takes time to
    import is imported in :meth:`from_bundle`.
    """

    name: ClassVar[str]
    """Unique among all methods: what the command, the report and the scene call it."""
    title: ClassVar[str]
    """What people read in lists."""
    summary: ClassVar[str] = ""
    """How it makes a mask, in a few words, for the command's help and the list of models."""
    stages: ClassVar[Mapping[str, str]] = {}
    """What to say while each stage of its own runs, by the name that it gives the stopwatch."""
    dimensions: ClassVar[int] = 2
    """What kind of image it takes: 2 for radiographs, 3 for volumes, see ``volumetric.VolumeMethod``."""
    also_takes: ClassVar[tuple[int, ...]] = ()
    """Kinds of images that it takes as well; which one a model was trained for, its bundle says."""
    finds_regions: ClassVar[bool] = False
    """Whether it finds the regions of radiographs itself where a model has no 2D detector, see :meth:`localiser`."""
    networks: ClassVar[tuple[str, ...]] = ()
    """The networks of a model bundle that it needs, by their names in the manifest; none where it learns nothing."""
    needs_torch: ClassVar[bool] = False
    """Whether it needs PyTorch, whatever computes the networks of the others. It is asked for where it is missing."""
    trained_by: ClassVar[tuple[str, ...]] = ()
    """The steps of ``grayscale-detseg train`` that make its networks, each as "module:name of a ``Step``", in their
    order; a module that begins with a dot is one of the training's own. None where it can't be trained so."""
    explanation: ClassVar[type | None] = None
    """The type of what explains its masks, for example ``Thresholds``; None where it can't explain them."""

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """The classes of objects that it knows."""

    @classmethod
    def is_in(cls, bundle: Bundle) -> bool:
        """Whether a model bundle has what the method needs; only the manifest is looked at."""
        return all(name in bundle.manifest["networks"] for name in cls.networks)

    @classmethod
    def takes(cls, dimensions: int) -> bool:
        """Whether it takes images of this kind: 2 or 3."""
        return dimensions == cls.dimensions or dimensions in cls.also_takes

    def localiser(self) -> Any:
        """What finds the regions where a model has no 2D detector, if :attr:`finds_regions`.

        It has `candidates`, `settings.score` and `settings.shared` as ``yolo.detector.RoiDetector``.
        """
        raise NotImplementedError

    @classmethod
    @abstractmethod
    def from_bundle(cls, bundle: Bundle, device: str) -> Method:
        """The method with the networks of a model bundle, on a device ("cpu", "cuda", "mps").

        Raises
        ------
        WeightsError
            If the bundle's weights are missing or damaged.
        """

    @abstractmethod
    def segment(self, radiograph: Radiograph, regions: Regions, stopwatch: Stopwatch) -> list[RegionMask]:
        """The masks of all regions, in their order; the method knows the classes of them all.

        Parameters
        ----------
        radiograph : Radiograph
        regions : Regions
            Those that were found or drawn, and the view of the image that they were found in.
        stopwatch : Stopwatch
            ``with stopwatch("name of a stage"): ...`` around each of `stages`.
        """
