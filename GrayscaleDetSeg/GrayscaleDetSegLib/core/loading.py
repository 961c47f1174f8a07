"""From a model bundle to a pipeline that is ready to run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .devices import Device, resolve_device
from .engines import chosen_engine, need_of_torch, torch_is_there
from .errors import DependencyError, DeviceError, GrayscaleDetSegError, MethodError, WeightsError
from .methods.base import Method
from .methods.registry import BUILT_IN, Registry, methods_of
from .overlaps import Overlaps
from .pipeline import Pipeline
from .polarity_check import PolarityCheck, PolarityNetwork
from .post_processing import PostProcessing
from .weights import Bundle
from .yolo.description import YoloConfig, described_yolo
from .yolo.detector import DetectionSettings, RoiDetector


def load_pipeline(folder: Path | str | None = None, device: str = "auto", engine: str = "auto") -> Pipeline:
    """The pipeline of a model bundle, ready to run; a ``volumes.pipeline.VolumePipeline`` if it is one for volumes.

    Parameters
    ----------
    folder : Path, str or None
        The bundle's folder, or the name of one that comes with the software ("heart-mr"); None takes "radiographs".
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    engine : str
        ``"auto"``, ``"numpy"`` or ``"torch"``, see ``engines.chosen_engine``.

    Raises
    ------
    WeightsError
        If the bundle is missing or damaged.
    DeviceError
        If the device cannot be used, or not by the engine.
    DependencyError
        If PyTorch is asked for and is not there.
    """
    if Bundle.open(folder).dimensions == 3:
        from .volumes.pipeline import load_volume_pipeline

        of_volumes: Any = load_volume_pipeline(folder, device, engine)
        return of_volumes
    computing = _engine_of(Bundle.open(folder), engine, device)
    bundle = Bundle.open(folder, computing)
    chosen = Device("cpu") if computing == "numpy" else resolve_device(device)
    try:
        roi_detector: Any = None if _localising(bundle) else load_roi_detector(bundle, chosen.name)
        methods = ModelMethods(bundle, chosen.name)
        methods.load_default()
        if roi_detector is None:
            roi_detector = next(iter(methods.values())).localiser()
        clean_up = PostProcessing.from_dict(bundle.manifest.get("clean_up", {}))
        overlaps = Overlaps.from_dict(bundle.manifest.get("overlaps", {}))
        polarity = None
        if "polarity" in bundle.manifest["networks"]:
            polarity = PolarityCheck(bundle.ready(PolarityNetwork(), "polarity", chosen.name))
    except MethodError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise _misfit(bundle, error) from error
    return Pipeline(
        roi_detector, methods, polarity, clean_up, bundle.name, chosen.name, chosen.note, overlaps, computing
    )


def _localising(bundle: Bundle) -> type[Method] | None:
    """The model's own method, where that finds the regions: the bundle has no 2D detector."""
    networks = bundle.manifest["networks"]
    if not isinstance(networks, dict) or "roi_detector" in networks:
        return None
    own = methods_of(bundle)[:1]
    return own[0] if own and own[0].finds_regions else None


def _engine_of(bundle: Bundle, engine: str, device: str) -> str:
    """What computes the networks of a bundle: what is chosen, or PyTorch where nothing else can."""
    own = _localising(bundle)
    if own is None or not own.needs_torch:
        return chosen_engine(engine, device)
    if engine == "numpy":
        raise DeviceError(f"numpy can't compute the method '{own.name}': take --engine auto or torch.")
    if not torch_is_there():
        raise DependencyError(need_of_torch(f"The method '{own.name}'"))
    return chosen_engine("torch", device)


class ModelMethods(Mapping):
    """The methods that a model bundle can be segmented by, loaded when they are asked for; the first is its own.

    Parameters
    ----------
    bundle : Bundle
    device : str
    known : Registry, optional
        The methods to choose from; all that are installed by default.
    """

    def __init__(self, bundle: Bundle, device: str, known: Registry | None = None) -> None:
        self._bundle, self._device = bundle, device
        self._classes = {method.name: method for method in methods_of(bundle, known)}
        self._loaded: dict[str, Method] = {}

    def __getitem__(self, name: str) -> Method:
        if name not in self._loaded:
            self._loaded[name] = self._load(self._classes[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def load_default(self) -> None:
        """Load the model's own method, so that what is wrong with its weights is said at once.

        Raises
        ------
        WeightsError
            If the bundle has networks for no method, or they are missing or damaged.
        """
        if not self:
            raise WeightsError(f"The model bundle {self._bundle.folder} has networks for no method; reinstall it.")
        self[next(iter(self))]

    def _load(self, method: type[Method]) -> Method:
        if method.needs_torch and not torch_is_there():
            raise DependencyError(need_of_torch(f"The method '{method.name}'"))
        try:
            return method.from_bundle(self._bundle, self._device)
        except GrayscaleDetSegError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            if method.name in BUILT_IN:
                raise _misfit(self._bundle, error) from error
            raise _unloadable(method.name, error) from error
        except Exception as error:
            if method.name in BUILT_IN:
                raise
            raise _unloadable(method.name, error) from error


def _unloadable(name: str, error: Exception) -> MethodError:
    return MethodError(
        f"The method '{name}' cannot be loaded ({type(error).__name__}: {error}); use another one, or tell its makers."
    )


def _misfit(bundle: Bundle, error: Exception) -> WeightsError:
    return WeightsError(
        f"The model manifest in {bundle.folder} is incomplete or does not fit this version ({error}); reinstall it."
    )


def load_roi_detector(bundle: Bundle, device: str = "cpu") -> RoiDetector:
    """The 2D detector of a bundle."""
    entry = bundle.network("roi_detector")
    network = bundle.ready(described_yolo(YoloConfig.from_dict(entry["config"])), "roi_detector", device)
    return RoiDetector(network, DetectionSettings(**entry.get("settings", {})))
