"""Offline pages: a map of located photos, a partition; everything inside one file."""
