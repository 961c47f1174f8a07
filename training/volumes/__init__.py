"""Training of the methods for volumes: their data, step-wise coarse to fine, and the recurrent network."""
