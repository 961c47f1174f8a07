"""What was asked for cannot be done; the message is one sentence for the user."""

from __future__ import annotations

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError


class FineTuningError(GrayscaleDetSegError):
    """The data, the configuration or the folders do not allow this training."""
