"""From accepted scans and a labels file to balanced network inputs at one site."""
