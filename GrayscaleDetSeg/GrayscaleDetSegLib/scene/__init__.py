"""Results as MRML nodes and Slicer files: the only layer that uses slicer and VTK, and it imports them when called.

Everything here runs in Slicer's Python and with slicer-core from PyPI. Functions receive the scene they work in.
"""
