"""How far drawn films alone carry to real ones, what a few real images add, and films of unknown classes."""
