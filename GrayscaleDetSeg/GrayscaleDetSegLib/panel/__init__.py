"""The panel and what it shows in the views: the only layer with widgets, over logic and scene."""
