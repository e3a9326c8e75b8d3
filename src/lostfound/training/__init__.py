"""Recipes and training. Only this package and `lostfound.models` import torch."""

import lostfound.models  # noqa: F401  # how torch's threads wait, before it is loaded
