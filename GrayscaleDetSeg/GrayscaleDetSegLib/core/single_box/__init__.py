"""The article's 3D detector: PointNet on anchor boxes, 3D non-maximum suppression, linear refinement.

"Ge et al. 2022" in this software is: Ge, Zhang, Sun, Shen and Wang. Grayscale medical image segmentation method based
on 2D&3D object detection with deep learning. BMC Medical Imaging 22:33, 2022. doi:10.1186/s12880-022-00760-2
"""
