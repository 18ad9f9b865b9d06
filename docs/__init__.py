"""Documentation that is made from the program itself, and checked against it."""
