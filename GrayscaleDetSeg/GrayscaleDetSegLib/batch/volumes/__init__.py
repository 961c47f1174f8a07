"""The command's part for models that take volumes: their inputs, and the files of their results."""
