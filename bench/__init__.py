"""The bench: an honest hospital mix, and what reading it costs."""
