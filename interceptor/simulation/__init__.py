"""Simulated days of telephone calls: people, companies and those who defraud them, labelled, as recorded calls."""
