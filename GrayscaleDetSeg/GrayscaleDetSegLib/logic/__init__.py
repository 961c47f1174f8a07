"""The module's functions on a scene, with or without a window: run the method, show results, follow edits."""
