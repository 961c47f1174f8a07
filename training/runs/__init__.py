"""What all trainings share: their command line and folder, the machine, the loop, and what a run keeps of itself."""

from .loop import StagedTraining, Validation
from .machine import Machine, RunError, is_first
from .run import CHECKPOINT, Run, command

__all__ = ["CHECKPOINT", "Machine", "Run", "RunError", "StagedTraining", "Validation", "command", "is_first"]
