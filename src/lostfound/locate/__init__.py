"""Locating photos, and giving the answers."""
