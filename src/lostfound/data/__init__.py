"""Images with places: importing, splitting, storing."""
