"""What a method can say of how it came to a mask, each kind in a module of its own; thresholds are the first."""
