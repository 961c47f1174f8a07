"""Volumes as images: reading, the grid that networks see and the way back, results, and iterating methods."""
