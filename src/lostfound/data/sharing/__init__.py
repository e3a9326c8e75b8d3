"""Data sets between machines: lists that pin a run, remotes, publishing."""
