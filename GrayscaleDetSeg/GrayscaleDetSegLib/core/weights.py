"""Model bundles: a folder with a manifest, weights in safetensors, and a model card. No pickles, no network.

``manifest.json`` names the bundle and, for every network, its configuration and its file with the SHA-256 of the bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .engines import prepared
from .errors import WeightsError
from .layers.parts import Part
from .shipped import MANIFEST, bundle_folder, shipped_bundle
from .tensor_files import read_tensors

if TYPE_CHECKING:
    import torch

FORMAT = 1


@dataclass(frozen=True)
class Bundle:
    """An opened manifest; weights are read, and checked, when they are asked for.

    Parameters
    ----------
    folder : Path
    manifest : dict
    engine : str
        What computes the networks that :meth:`ready` makes: ``"numpy"`` or ``"torch"``.
    """

    folder: Path
    manifest: dict[str, Any]
    engine: str = "numpy"
    _made: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def open(cls, folder: Path | str | None = None, engine: str = "numpy") -> Bundle:
        """Open a bundle folder, or a bundle that comes with the software by its name; radiographs by default.

        Raises
        ------
        WeightsError
            If the manifest is missing, unreadable, or of a format this version does not know.
        """
        is_named = folder is not None
        folder = bundle_folder(folder) if folder is not None else shipped_bundle()
        path = folder / MANIFEST
        if is_named and not os.path.isdir(folder):
            raise WeightsError(_no_bundle(folder))
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise WeightsError(f"There is no model bundle in {folder}: {MANIFEST} is missing; reinstall it.") from error
        except (OSError, ValueError, RecursionError) as error:
            raise WeightsError(f"The model manifest {path} cannot be read ({error}); reinstall the bundle.") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or "networks" not in manifest:
            raise WeightsError(f"The model manifest {path} is not of format {FORMAT}; use a matching version.")
        return cls(folder, manifest, engine)

    @property
    def name(self) -> str:
        """Name and version, for reports."""
        return f"{self.manifest.get('name', self.folder.name)} {self.manifest.get('version', '')}".strip()

    @property
    def dimensions(self) -> int:
        """What kind of image the model takes: 2 for radiographs, 3 for volumes."""
        return 3 if self.manifest.get("dimensions") == 3 else 2

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of objects that the model finds.

        Raises
        ------
        KeyError, TypeError
            If the manifest does not say them, or not as a list of texts.
        """
        networks = self.manifest["networks"]
        names = self.manifest.get("classes") or networks["roi_detector"]["config"]["classes"]
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise TypeError("the classes are no list of texts")
        return tuple(names)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` returns, made at the first call with a key: methods share their networks so."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def network(self, name: str) -> dict[str, Any]:
        """The manifest's entry of one network: its configuration and file.

        Raises
        ------
        WeightsError
            If the bundle has no such network.
        """
        try:
            return self.manifest["networks"][name]
        except KeyError as error:
            raise WeightsError(f"The model bundle {self.folder} has no network '{name}'; reinstall it.") from error

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """The tensors of one network, those of any precision as float32, after the SHA-256 of their file was checked.

        Raises
        ------
        WeightsError
            If the file is missing, damaged, no safetensors file, or holds what is no number.
        """
        entry = self.network(name)
        path = self._file(entry["file"])
        try:
            data = path.read_bytes()  # once: the bytes that are checked are those that are used
        except (FileNotFoundError, IsADirectoryError) as error:
            raise WeightsError(f"The weights file {path} is missing; reinstall the model bundle.") from error
        except OSError as error:
            raise WeightsError(f"The weights file {path} cannot be read ({error}); reinstall the bundle.") from error
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise WeightsError(f"The weights file {path} is damaged (its SHA-256 differs); reinstall the model bundle.")
        try:
            tensors = read_tensors(data)
        except ValueError as error:
            raise WeightsError(f"The weights file {path} cannot be read ({error}); reinstall the bundle.") from error
        for key, values in tensors.items():
            if values.dtype.kind == "f":
                tensors[key] = values = values.astype(np.float32)
                if not np.isfinite(values).all():  # a NaN would otherwise only show as "nothing found"
                    raise WeightsError(
                        f"The weights file {path} is of no use: its tensor '{key}' holds values that are no finite "
                        "numbers; get the bundle anew, or train it again."
                    )
        return tensors

    def tensors(self, name: str) -> dict[str, torch.Tensor]:
        """As :meth:`arrays`, for PyTorch."""
        import torch

        return {key: torch.from_numpy(values.copy()) for key, values in self.arrays(name).items()}

    def _file(self, name: Any) -> Path:
        """A file of the bundle by the name that the manifest gives: one in its folder, and no other."""
        plain = isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\:\0")
        if not plain:
            raise WeightsError(
                f"The manifest in {self.folder} names a weights file outside the bundle ({name!r}), which is not read; "
                "get the bundle from a source that you trust."
            )
        return self.folder / name

    def load_into(self, network: Any, name: str) -> Any:
        """Load the weights of `name` into a network of its configuration, of PyTorch or of parts, strictly.

        Raises
        ------
        WeightsError
            As :meth:`arrays`, or if names or shapes differ.
        """
        try:
            if isinstance(network, Part):
                network.load(self.arrays(name))
            else:
                network.load_state_dict(self.tensors(name))
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise WeightsError(f"The weights '{name}' in {self.folder} do not fit their network: {reason}.") from error
        return prepared(network)

    def ready(self, network: Part, name: str, device: str = "cpu") -> Any:
        """The network that a description describes, with its weights, by the bundle's engine, its batch norms folded.

        Parameters
        ----------
        network : Part
        name : str
            Of the network in the manifest.
        device : str
            ``"cpu"``, ``"cuda"`` or ``"mps"``.

        Raises
        ------
        WeightsError
            As :meth:`load_into`.
        """
        if self.engine == "numpy":
            return self.load_into(network, name)
        from .batch_norm_folding import fold_batch_norms
        from .layers.torch_parts import mirrored

        return fold_batch_norms(self.load_into(mirrored(network), name).to(device))


def _no_bundle(folder: Path) -> str:
    """Why there is no bundle where there is no folder."""
    try:
        os.stat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return f"There is no model bundle in {folder}: there is no such folder; check the path."
    except OSError as error:
        return f"The model bundle {folder} cannot be looked at: {error.strerror}; check the path."
    return f"There is no model bundle in {folder}: it is a file, not a folder; check the path."
