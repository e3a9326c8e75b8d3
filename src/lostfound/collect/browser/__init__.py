"""Collecting with browsers, from sites whose operators allow it."""
