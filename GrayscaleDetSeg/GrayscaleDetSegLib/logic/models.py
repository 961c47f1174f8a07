"""The list of models: those shipped with the software, those in the user's folder, and those added by path.

Only the manifest of a bundle is read here. Weights are read and checked when a pipeline is loaded.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ..core import weights
from ..core.errors import WeightsError
from ..core.methods.registry import methods_of
from ..core.post_processing import PostProcessing
from ..core.result import is_among_makers
from ..core.weights import MANIFEST, Bundle

ADDED = "GrayscaleDetSeg/ModelFolders"
"""The setting that holds the folders added by path, as a JSON list: a list of one would come back as a text."""

SCORE = 0.3
"""The 2D detector's own threshold where a manifest names none, as ``DetectionSettings`` has it."""


class Settings(Protocol):
    """Settings that are kept when the application ends; a QSettings is one."""

    def value(self, key: str) -> Any:
        """The value of a key; None if it is not set."""

    def setValue(self, key: str, value: str) -> None:
        """Set the value of a key."""


class Memory:
    """Settings that are lost when the process ends, for use without an application."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def value(self, key: str) -> str | None:
        """The value of a key; None if it is not set."""
        return self._values.get(key)

    def setValue(self, key: str, value: str) -> None:
        """Set the value of a key."""
        self._values[key] = value


@dataclass(frozen=True)
class Model:
    """A model bundle, as its manifest describes it.

    Parameters
    ----------
    folder : Path
    name : str
        Name in the manifest; that of the folder if the manifest cannot be read.
    version : str
    classes : tuple of str
        Classes that it finds.
    methods : tuple of str
        Names of the methods that it can segment with, the default first.
    score : float
        Score threshold of regions, 0..1.
    use : str
        Intended use, as the manifest says it.
    clean_up : PostProcessing
        Post-processing of masks.
    problem : str
        One sentence on why it cannot be used and what to do; empty if it can be used.
    is_added : bool
        Whether the user added it by its path.
    dimensions : int
        2 if it takes radiographs, 3 if it takes volumes.
    """

    folder: Path
    name: str
    version: str = ""
    classes: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    score: float = SCORE
    use: str = ""
    clean_up: PostProcessing = field(default_factory=PostProcessing)
    problem: str = ""
    is_added: bool = False
    dimensions: int = 2

    @property
    def full_name(self) -> str:
        """Name and version, as results name their model."""
        return f"{self.name} {self.version}".strip()

    @property
    def key(self) -> str:
        """The text by which a choice of the model is stored: the folder, or an empty text for the shipped model."""
        return "" if _is_same(self.folder, weights.shipped_bundle()) else str(self.folder)


def read_model(folder: Path) -> Model:
    """Read the manifest of a bundle. Nothing is raised; an error becomes the model's `problem`."""
    try:
        bundle = Bundle.open(folder)
    except WeightsError as error:
        is_gone = not _has_manifest(folder) and not _is_same(folder, weights.shipped_bundle())
        return Model(folder, folder.name, problem=_missing(folder) if is_gone else str(error))
    try:
        return _understood(bundle)
    except (AttributeError, KeyError, TypeError, ValueError):
        problem = f"The model in {folder} is incomplete, or does not fit this version; copy it again or train it anew."
        return Model(folder, folder.name, problem=problem)


def _understood(bundle: Bundle) -> Model:
    manifest, networks = bundle.manifest, bundle.manifest["networks"]
    known = methods_of(bundle)
    methods = tuple(method.name for method in known)
    if not methods:
        raise KeyError("networks for a method")
    own = known[0].finds_regions  # then there may be no 2D detector, and its score is that of the method's networks
    if bundle.dimensions == 3:
        detector: dict[str, Any] = {}  # methods for volumes have no score
    else:
        detector = next(iter(networks.values())) if own and "roi_detector" not in networks else networks["roi_detector"]
    absent = [entry["file"] for entry in networks.values() if not (bundle.folder / entry["file"]).is_file()]
    problem = f"The model in {bundle.folder} lacks {', '.join(absent)}; copy it again." if absent else ""
    return Model(
        bundle.folder,
        str(manifest.get("name", bundle.folder.name)),
        str(manifest.get("version", "")),
        bundle.classes,
        methods,
        min(max(float(detector.get("settings", {}).get("score", SCORE)), 0.0), 1.0),
        str(manifest.get("use", "")),
        PostProcessing.from_dict(manifest.get("clean_up", {})),
        problem,
        dimensions=bundle.dimensions,
    )


class Models:
    """The list of models. It is read again at each call, because folders may change.

    Parameters
    ----------
    user_folder : Path, optional
        All bundles in it are on the list; it need not exist.
    settings : Settings, optional
        Stores the folders that the user added; by default they are forgotten when the process ends.
    """

    def __init__(self, user_folder: Path | None = None, settings: Settings | None = None) -> None:
        self.user_folder = user_folder
        self._settings = Memory() if settings is None else settings

    def installed(self) -> list[Model]:
        """All models: the shipped one, others beside it, those in the user's folder, those added by path; each folder
        once.

        Bundles that cannot be used are included, with their `problem`.
        """
        found = [read_model(weights.shipped_bundle())]
        for folder in (*_bundles_in(weights.shipped_bundle().parent), *_bundles_in(self.user_folder)):
            if not _is_among(folder, found):
                found.append(read_model(folder))
        for folder in self._added():
            if not _is_among(folder, found):
                found.append(replace(read_model(folder), is_added=True))
        return found

    def get(self, key: str, listed: Sequence[Model] | None = None) -> Model:
        """The model of a :attr:`Model.key`, whether it is on the list or not; if there is none, its `problem` says so.

        `listed` is the list, if the caller has it already.
        """
        folder = Path(key) if key else weights.shipped_bundle()
        listed = self.installed() if listed is None else listed
        on_list = (model for model in listed if _is_same(model.folder, folder))
        return next(on_list, None) or read_model(folder)

    def add(self, folder: Path) -> Model:
        """Add a bundle to the list by its path, permanently. A bundle on the list stays unchanged.

        Raises
        ------
        WeightsError
            If the folder holds no bundle, or one that cannot be used.
        """
        folder = Path(os.path.abspath(folder))
        if not _has_manifest(folder):
            raise WeightsError(
                f"{folder} is no model: {MANIFEST} is missing; choose a folder that grayscale-detseg train has written."
            )
        listed = self.installed()
        model = self.get(str(folder), listed)
        if model.problem:
            raise WeightsError(model.problem)
        if not _is_among(folder, listed):
            self._remember([*self._added(), folder])
        return self.get(str(folder))

    def remove(self, model: Model) -> None:
        """Remove a model that was added by path from the list; its files stay."""
        self._remember([folder for folder in self._added() if not _is_same(folder, model.folder)])

    def find(self, wanted: str | Path | None) -> Path | None:
        """The folder of a model by name ("knees"), by name and version ("knees 2"), or by its folder.

        Returns
        -------
        Path or None
            None for the shipped model.

        Raises
        ------
        WeightsError
            If no model, or more than one, has this name.
        """
        if wanted is None or isinstance(wanted, Path):
            return wanted
        models = self.installed()
        named = [model for model in models if wanted in (model.name, model.full_name)]
        if len(named) == 1:
            return Path(named[0].key) if named[0].key else None
        if named:
            folders = ", ".join(str(model.folder) for model in named)
            raise WeightsError(f"Several models are called '{wanted}': give the folder of one of them: {folders}.")
        folder = Path(wanted).expanduser()
        if folder.is_dir() or len(folder.parts) > 1:
            return folder
        names = ", ".join(model.full_name for model in models if not model.problem)
        raise WeightsError(f"There is no model '{wanted}': choose one of {names}, or give the folder of a model.")

    def dimensions(self, folder: Path | None) -> int:
        """2 if a model takes radiographs, 3 if it takes volumes; 2 if it cannot be read, which loading it reports."""
        return 2 if folder is None else read_model(folder).dimensions

    def clean_up_of(self, label: str, makers: str, present: str) -> PostProcessing:
        """The post-processing of an object's mask after an edit.

        It is that of the model that found the object, because another model need not have its class; if that model is
        not installed, that of the present model.

        Parameters
        ----------
        label : str
            Class of the object.
        makers : str
            Names of the models that made the result, as the result gives them.
        present : str
            The :attr:`Model.key` of the model that is chosen now.
        """
        listed = self.installed()
        chosen = self.get(present, listed)
        for model in (chosen, *listed):
            if not model.problem and label in model.classes and is_among_makers(model.full_name, makers):
                return model.clean_up
        return chosen.clean_up

    def _added(self) -> list[Path]:
        try:
            folders = json.loads(self._settings.value(ADDED) or "[]")
            return [Path(folder) for folder in folders if folder and isinstance(folder, str)]
        except (TypeError, ValueError):  # somebody else wrote there
            return []

    def _remember(self, folders: Sequence[Path]) -> None:
        self._settings.setValue(ADDED, json.dumps([str(folder) for folder in folders]))


def application_models() -> Models:
    """The models of the user of Slicer. Their folder is beside Slicer's settings, which updates do not change."""
    import slicer

    settings_folder = Path(slicer.app.slicerUserSettingsFilePath).parent
    return Models(settings_folder / "GrayscaleDetSeg" / "Models", slicer.app.userSettings())


def labels(models: Sequence[Model]) -> list[str]:
    """Display names of models on a list: their names, with the ends of their paths if names are equal."""
    texts = []
    for model in models:
        peers = [each for each in models if each.name == model.name and each is not model]
        length, text = 1, model.name
        while any(each.folder.parts[-length:] == model.folder.parts[-length:] for each in peers):
            length += 1
        texts.append(f"{text} ({Path(*model.folder.parts[-length:])})" if peers else text)
    return texts


def _bundles_in(folder: Path | None) -> Iterator[Path]:
    """The folders in a folder that have a manifest; hidden ones are not meant for anybody."""
    try:
        inside = [] if folder is None else sorted(folder.iterdir(), key=lambda path: path.name.lower())
    except OSError:  # it is not there, or not for us
        inside = []
    for path in inside:
        if not path.name.startswith(".") and _has_manifest(path):
            yield path


def _has_manifest(folder: Path) -> bool:
    try:
        return (folder / MANIFEST).is_file()
    except OSError:
        return False


def _missing(folder: Path) -> str:
    return (
        f"There is no model in {folder} on this computer; choose another model, or add the folder where it lies now."
    )


def _is_same(one: Path, other: Path) -> bool:
    return _real(one) == _real(other)


def _real(folder: Path) -> str:
    try:
        return os.path.normcase(os.path.realpath(folder))
    except (OSError, ValueError):
        return os.path.normcase(str(folder))


def _is_among(folder: Path, models: Sequence[Model]) -> bool:
    return any(_is_same(folder, model.folder) for model in models)
