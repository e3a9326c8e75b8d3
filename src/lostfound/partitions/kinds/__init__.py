"""The kinds of partitions, each a rule that gives points their cells."""
