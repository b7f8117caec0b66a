"""The guest book: its entries, its form and its page."""
