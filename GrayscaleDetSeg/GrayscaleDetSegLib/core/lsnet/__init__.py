"""L-SNet: a network that locates objects by their centres, and one that segments regions brought to one size."""
