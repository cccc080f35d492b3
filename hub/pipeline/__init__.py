"""The six stages, one module each: ingest, resolve, score, segment, publish, push; and run, all of them in order."""
