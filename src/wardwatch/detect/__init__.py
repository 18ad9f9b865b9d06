"""One file per technique; TECHNIQUES is the whole list."""
