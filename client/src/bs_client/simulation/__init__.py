"""Many sites in one process, for scans that may lie in one place."""
