"""`lostfound collect`: images from outside into a data set."""
