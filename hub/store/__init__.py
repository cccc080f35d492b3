"""The store: cursors, packages, runs, leases, tokens, deliveries, snapshots, audit. SQLite or PostgreSQL."""
