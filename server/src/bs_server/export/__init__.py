"""A finished study for other programs and for authors: tables, figures, checklist drafts."""
