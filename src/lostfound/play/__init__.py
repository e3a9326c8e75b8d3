"""The game: where was this photo taken? What people answer are predictions, as a model's answers are."""
