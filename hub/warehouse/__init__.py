"""The warehouse: canonical facts, links, customers, traits and members, in columns. One writer at a time."""
