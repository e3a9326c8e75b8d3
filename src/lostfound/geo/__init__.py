"""The Earth: distance, countries by name and by place, cities, and partitions of the globe."""
