"""What recommendations read of a chain beside purchase days: choices, shops, the feature table and sizes that somebody prefers."""

from __future__ import annotations

__all__ = ["ASSORTMENT"]

ASSORTMENT = """
    ALTER TABLE articles ADD COLUMN tags VARCHAR[] DEFAULT [];
    CREATE TABLE choices AS SELECT 1 AS choice, []::VARCHAR[] AS options;
    ALTER TABLE customer_lines ADD COLUMN choice INTEGER DEFAULT 1;
    ALTER TABLE customer_lines ADD COLUMN receipt BIGINT;
    UPDATE customer_lines SET receipt = rowid;
    ALTER TABLE purchases ADD COLUMN receipt BIGINT;
    UPDATE purchases SET receipt = rowid;
    ALTER TABLE purchases ADD COLUMN shop UBIGINT;
    UPDATE purchases SET shop = hash('till', 'S' || customer % 2);
    CREATE TABLE stores AS SELECT 'till' AS connection, unnest(['S0', 'S1']) AS source_id;
    CREATE TABLE customer_features AS SELECT customer, min(business_date) AS first_day, max(business_date) AS last_day,
        count(DISTINCT business_date) AS n_days FROM purchases GROUP BY customer;
    CREATE TABLE score_taste AS SELECT customer_id, NULL::VARCHAR AS pref_size FROM people;
"""
"""Made after the other relations of a chain; a purchase and its line are the same row of their tables."""
