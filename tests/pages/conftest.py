"""A real browser for the pages."""

from html_page import browser, render  # noqa: F401  # fixtures
