"""The streams' readers: which calls, in which order, and what the cursor holds."""
