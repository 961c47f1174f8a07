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

from .errors import WeightsError

if TYPE_CHECKING:
    import torch

MANIFEST = "manifest.json"
FORMAT = 1


def shipped_bundle() -> Path:
    """The folder of the bundle that comes with the software."""
    return Path(__file__).resolve().parents[1] / "Models" / "radiographs"


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class Bundle:
    """An opened manifest; weights are read, and checked, when they are asked for."""

    folder: Path
    manifest: dict[str, Any]
    _made: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def open(cls, folder: Path | str | None = None) -> Bundle:
        """Open a bundle folder, the shipped one by default.

        Raises
        ------
        WeightsError
            If the manifest is missing, unreadable, or of a format this version does not know.
        """
        folder = Path(folder) if folder is not None else shipped_bundle()
        path = folder / MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise WeightsError(f"There is no model bundle in {folder}: {MANIFEST} is missing; reinstall it.") from error
        except (OSError, ValueError) as error:
            raise WeightsError(f"The model manifest {path} cannot be read ({error}); reinstall the bundle.") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or "networks" not in manifest:
            raise WeightsError(f"The model manifest {path} is not of format {FORMAT}; use a matching version.")
        return cls(folder, manifest)

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

    def tensors(self, name: str) -> dict[str, torch.Tensor]:
        """The tensors of one network, as float32, after the SHA-256 of their file was checked.

        Raises
        ------
        WeightsError
            If the file is missing, damaged, or no safetensors file.
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
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            tensors = load(data)
        except (SafetensorError, ValueError) as error:
            raise WeightsError(f"The weights file {path} cannot be read ({error}); reinstall the bundle.") from error
        return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}

    def _file(self, name: Any) -> Path:
        """A file of the bundle by the name that the manifest gives: one in its folder, and no other."""
        plain = isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\:\0")
        if not plain:
            raise WeightsError(
                f"The manifest in {self.folder} names a weights file outside the bundle ({name!r}), which is not read; "
                "get the bundle from a source that you trust."
            )
        return self.folder / name

    def load_into(self, network: torch.nn.Module, name: str) -> torch.nn.Module:
        """Load the weights of `name` into a network of its configuration, strictly.

        Raises
        ------
        WeightsError
            As :meth:`tensors`, or if names or shapes differ.
        """
        try:
            network.load_state_dict(self.tensors(name))
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise WeightsError(f"The weights '{name}' in {self.folder} do not fit their network: {reason}") from error
        return network.eval()


def save_weights(tensors: dict[str, torch.Tensor], path: Path, half: bool = True) -> str:
    """Write tensors as safetensors (float32 as float16 where `half`), aside first; returns the file's SHA-256."""
    import torch
    from safetensors.torch import save_file

    def shrink(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.detach().cpu().contiguous()
        return tensor.half() if half and tensor.dtype == torch.float32 else tensor

    aside = path.with_name(path.name + ".part")
    save_file({key: shrink(value) for key, value in tensors.items()}, str(aside))
    os.replace(aside, path)
    return sha256(path)
