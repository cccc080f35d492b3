"""From columns of tickets, lines and payments, as a till's database or file has them, to canonical tables."""
