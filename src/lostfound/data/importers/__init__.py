"""Importing: images as people keep them, in one of several layouts, into a data set."""
