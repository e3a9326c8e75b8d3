"""Studies: several trainings of a recipe that answer a question, and the search for its best settings."""
