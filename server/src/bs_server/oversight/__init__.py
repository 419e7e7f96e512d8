"""Where the study stands, seen from outside, and the wish to stop it."""
