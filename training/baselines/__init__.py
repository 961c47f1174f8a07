"""What our methods are measured against: thresholding in the same ROI, and networks that label every pixel."""
