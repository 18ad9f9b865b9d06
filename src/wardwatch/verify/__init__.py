"""One file per recommended measure; CHECKS is the whole list."""
