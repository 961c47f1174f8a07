"""The article's 3D detector: PointNet on anchor boxes, 3D non-maximum suppression, linear refinement (papers/000)."""
