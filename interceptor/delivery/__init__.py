"""Events on their way out: a spool of mapped files, and sinks that deliver from it. Knows neither engine nor store."""
