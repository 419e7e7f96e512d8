"""The reader study: physicians read a sample of the site's scans in a browser page, offline.

`sample` draws the cases, `store` keeps every answer, `app` serves the page, `export` writes the
tables, `analysis` compares the readers with each other and with the model.
"""
