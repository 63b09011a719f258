"""HTTP: one router per resource over the commands and the reports."""
