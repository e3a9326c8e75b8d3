"""A real browser for the pages."""

from html_page import browser  # noqa: F401  # a fixture
