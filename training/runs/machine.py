"""What a run is computed on.

One process, several on one machine (``--devices``), or several machines (torchrun, which says itself how many).
"""

from __future__ import annotations

import argparse
import logging
import os
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities import rank_zero_only

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


class RunError(GrayscaleDetSegError):
    """A run cannot be started as it was ordered."""


@dataclass(frozen=True)
class Machine:
    """What a run is computed on.

    Parameters
    ----------
    accelerator : str
        ``"auto"`` (CUDA where there is one, else the CPU), ``"cpu"`` or ``"cuda"``.
    devices, nodes : int
        Processes on each machine, and machines.
    precision : str
        ``"32"``, or mixed with 16 bits: ``"bf16"``, ``"16"``.
    save_minutes : float
        How often a checkpoint is written within an epoch.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "32"
    save_minutes: float = 5.0

    @classmethod
    def add_to(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options that :meth:`of` reads."""
        add = parser.add_argument_group("machine").add_argument
        add("--accelerator", choices=("auto", "cpu", "cuda"), default="auto", help="what to compute on (default: auto)")
        add("--devices", type=int, help="processes on this machine, one for each GPU (default 1, or as torchrun says)")
        add("--nodes", type=int, help="machines (default 1, or as torchrun says)")
        add("--precision", choices=tuple(PRECISIONS), default="32", help="32 bits, or mixed with 16 (default 32)")
        add("--save-minutes", type=float, default=5.0, help="between checkpoints within an epoch (default 5)")

    @classmethod
    def of(cls, options: argparse.Namespace) -> Machine:
        """What was asked for; started by torchrun, what it says counts."""
        devices, nodes = options.devices or 1, options.nodes or 1
        if "TORCHELASTIC_RUN_ID" in os.environ:
            local, world = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
            if (options.devices or local, options.nodes or world // local) != (local, world // local):
                raise RunError(
                    f"torchrun started {local} processes on each of {world // local} machines, and --devices or "
                    "--nodes says otherwise; leave them out."
                )
            devices, nodes = local, world // local
        return cls(options.accelerator, devices, nodes, options.precision, options.save_minutes)

    @property
    def processes(self) -> int:
        """All of them together."""
        return self.devices * self.nodes

    def on_gpu(self) -> bool:
        """Whether CUDA will be used."""
        return self.accelerator == "cuda" or (self.accelerator == "auto" and torch.cuda.is_available())

    def trainer(self, **options: Any) -> lightning.Trainer:
        """Lightning's trainer for this machine."""
        several = self.processes > 1
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # what it says of itself
        return lightning.Trainer(
            accelerator="cuda" if self.on_gpu() else "cpu",
            devices=self.devices,
            num_nodes=self.nodes,
            # stages freeze parts: what does not learn has no gradient to wait for
            strategy="ddp_find_unused_parameters_true" if several else "auto",
            sync_batchnorm=several and self.on_gpu(),
            precision=PRECISIONS[self.precision],
            use_distributed_sampler=False,  # ours shares out its draws itself
            enable_checkpointing=False,  # and so do our checkpoints
            **options,
        )


def is_first() -> bool:
    """Whether this is the first of the processes: it alone prints and writes."""
    return rank_zero_only.rank == 0
