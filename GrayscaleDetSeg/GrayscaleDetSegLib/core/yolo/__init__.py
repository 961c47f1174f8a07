"""The 2D detector: YOLOv3 (Redmon and Farhadi 2018), from the building blocks to boxes in the image."""
