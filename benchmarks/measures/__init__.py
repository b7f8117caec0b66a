"""One file for each thing that is measured; each makes rows of the table."""
