"""Training of L-SNet, on radiographs and on slices of volumes."""
