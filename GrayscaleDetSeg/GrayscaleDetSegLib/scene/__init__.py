"""Results as MRML nodes and Slicer files. This layer alone uses slicer and VTK, and imports them inside its functions.

All modules run in Slicer's Python and with slicer-core from PyPI. Functions receive the scene that they work in.
"""
