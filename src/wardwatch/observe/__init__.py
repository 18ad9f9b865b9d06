"""Facts: what was seen, when, between whom, in which packets."""
