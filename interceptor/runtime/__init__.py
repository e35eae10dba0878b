"""Joins engine, policy and lists into a running service: loads and publishes, keeps time, drains events, counts."""
