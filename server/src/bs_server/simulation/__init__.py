"""A study and its comparators in one process, for scans that may lie in one place."""
