"""The pipeline on arrays: no Slicer, Qt or VTK below this line, and PyTorch only where it computes."""
