"""One outside system per module, reusable elsewhere. They do not know each other."""
