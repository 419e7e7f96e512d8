"""A site of a federated bone-scan study: scans, labels, scores and maps stay here."""
