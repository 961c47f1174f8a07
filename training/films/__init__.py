"""Radiographs with objects that may overlap, as the trainings draw them: simulated and real ones in one form."""
