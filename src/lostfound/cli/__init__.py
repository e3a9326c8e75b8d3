"""The command line: one thin function per command. Nothing heavy is imported before a command runs."""

from lostfound.cli.app import app, main

__all__ = ["app", "main"]
