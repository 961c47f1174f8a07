"""Our methods beside those of others: same data, same splits, same run."""
