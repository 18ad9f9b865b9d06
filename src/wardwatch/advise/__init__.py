"""Which published advisory applies to which device."""
