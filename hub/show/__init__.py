"""What a person sees of the hub's work, wherever it runs: on a terminal, in a pipe, in a scheduler's log."""
