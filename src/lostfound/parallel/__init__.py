"""Work on several cores or machines: bounded, stopped cleanly, the same results wherever it is done."""
