"""What the module does with a scene, with or without a window: it runs the method, shows results and follows edits."""
