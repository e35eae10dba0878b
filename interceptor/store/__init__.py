"""The durable side: lists and where their entries come from. Imports the engine, never the policy."""
