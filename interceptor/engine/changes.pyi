"""Changes of the lists in force: `Engine.add`, `remove`, `apply` and `replace`."""

class ListChanges:
    """Who changes the lists of an engine, and keeps what is replaced for as long as somebody looks at it."""
