"""People's doors: the command line and the pages."""
