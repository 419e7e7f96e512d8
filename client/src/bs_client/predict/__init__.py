"""Using a released model on scans outside any study: probability, map, DICOM results."""
