"""Fine-tuning of a model bundle for the labels of somebody's own images: what `grayscale-detseg train` does."""
