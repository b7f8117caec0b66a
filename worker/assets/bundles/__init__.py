"""Files that are made of others: combined, minified, compiled."""
