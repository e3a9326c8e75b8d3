"""The report of an evaluation, and the comparison of several: offline pages."""
