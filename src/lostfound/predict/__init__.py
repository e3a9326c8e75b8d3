"""Answering: model folders, decoders, the locator, guesses and predictions. Needs no torch."""
