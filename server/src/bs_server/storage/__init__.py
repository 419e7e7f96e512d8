"""What a study keeps on disk, and how it is read again after any death."""
