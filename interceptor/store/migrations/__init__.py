"""How the tables came to be what schema.py says: a version a step, run when a store is opened."""
