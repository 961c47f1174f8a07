"""Segmentation of radiographs by 2D and 3D object detection.

Importing this package imports nothing heavy: numpy, SimpleITK, pydicom and MRML are imported by the modules that
need them, when they are needed; PyTorch only where it is asked for.
"""

__version__ = "0.1.0"
