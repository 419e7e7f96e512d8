"""Training and validating the shared weights on one site's scans."""
