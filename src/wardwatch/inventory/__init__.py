"""Which device is this, how sure are we, and why."""
