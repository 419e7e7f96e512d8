"""Drafts of reporting checklists: what the study's report already answers, and what it cannot."""
