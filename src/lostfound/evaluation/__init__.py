"""Measuring models, with intervals."""
