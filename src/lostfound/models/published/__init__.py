"""Models that others published, turned into model folders."""
