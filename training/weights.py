"""Weights written as a model bundle holds them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from safetensors.torch import save_file


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def save_weights(tensors: dict[str, torch.Tensor], path: Path, half: bool = True) -> str:
    """Write tensors as safetensors (float32 as float16 where `half`), aside first; returns the file's SHA-256."""
    def shrink(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.detach().cpu().contiguous()
        return tensor.half() if half and tensor.dtype == torch.float32 else tensor

    aside = path.with_name(path.name + ".part")
    save_file({key: shrink(value) for key, value in tensors.items()}, str(aside))
    os.replace(aside, path)
    return sha256(path)
