"""Ordinary films of hospitals with boxes that were set by eye, before any model had drawn on them.

``boxes.csv`` holds numbers and file names alone. Its films are for judging: no training may show them to a network.
"""
