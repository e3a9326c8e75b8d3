"""Networks, their export, and the model folder."""
