"""Segmentation of radiographs by 2D and 3D object detection.

Importing this package imports nothing heavy: torch, SimpleITK, pydicom and MRML are imported by the modules that
need them, when they are needed.
"""

__version__ = "0.1.0"
