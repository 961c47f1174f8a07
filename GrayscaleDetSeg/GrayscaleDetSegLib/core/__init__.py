"""The pipeline on arrays: no Slicer, Qt or VTK below this line, and torch only inside the modules that compute."""
