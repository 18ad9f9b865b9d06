"""Signs: questions of the evidence that both measures and techniques ask, written once."""
