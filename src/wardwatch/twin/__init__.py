"""Ground truth: a ward that writes captures whose truth is known."""
