"""L-SNet: a network that locates objects by their centres, one that segments regions at one size, and what is between."""
