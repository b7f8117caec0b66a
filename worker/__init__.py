"""The carrying-out process: takes jobs, works on hosts, reports. It never speaks to a client."""
