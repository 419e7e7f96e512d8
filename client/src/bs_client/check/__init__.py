"""`bs-client check`: every scan of a site read as training will read it, and what became of each.

Read in this order: `source` (what is checked), `crew` (processes), `reading` (one study), `ledger`
(what an earlier check found), `inspection` (all of it), `labelled` (labels and cohort), `report`
(the result), `table`, `contact_sheet`, `page` and `details` (how it is shown), `codes_page`;
`labels_alone` does without scans.
"""
