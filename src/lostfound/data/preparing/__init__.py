"""From a data set to a better one: what is measured, left out, corrected and balanced."""
