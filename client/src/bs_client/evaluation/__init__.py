"""What a site computes from its scores: curves, intervals, the external result and its figure."""
