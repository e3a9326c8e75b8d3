"""Locating as a service: an HTTP API, and a page to drop photos on."""
