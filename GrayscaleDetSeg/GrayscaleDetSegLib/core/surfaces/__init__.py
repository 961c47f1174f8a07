"""Threshold surfaces: a field of adjoining 3D boxes over a ROI, each with its own bottom and top."""
