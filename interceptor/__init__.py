"""A call-interception engine: pass, warn or block, decided once per call setup."""
