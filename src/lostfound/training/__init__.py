"""Recipes and training. Only this package and `lostfound.models` import torch."""
