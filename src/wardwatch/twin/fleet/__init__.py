"""Fleet: a hospital's pumps by the thousand, as event lists and as captures."""
