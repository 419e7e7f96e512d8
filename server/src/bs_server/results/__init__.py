"""The result of a study as a value, as a document, and as a signed model."""
