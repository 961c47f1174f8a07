"""The panel and the views. This layer alone has widgets; it uses logic and scene."""
