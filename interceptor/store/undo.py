"""Undoing: what a change did is reverted as a whole, as a change of its own."""

from interceptor.store.lists import Lists


class Undo:
    """Reverts changes of lists."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
