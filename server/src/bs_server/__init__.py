"""Coordinator of a federated bone-scan study: names, shapes and numbers, never an image."""
