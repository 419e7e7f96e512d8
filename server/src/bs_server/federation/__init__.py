"""Rounds between sites: asking, screening, averaging, choosing the best."""
