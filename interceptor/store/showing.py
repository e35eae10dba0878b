"""What people see of the lists: one entry with all that is known of it, searches, figures, a list as a file."""

from sqlalchemy import Connection, select

from interceptor.store.columns import PIECE
from interceptor.store.rolls import Roll, Rolls
from interceptor.store.schema import names
from interceptor.store.words import Keys


class Showing(Rolls):
    """Questions of people."""

    def names(self, conn: Connection, roll: Roll, keys: Keys) -> dict[int, str]:
        """What the store keeps as the texts of some keys."""
        texts: dict[int, str] = {}
        for start in range(0, len(keys), PIECE):
            some = self.one_of(names.c.key, keys.key[start : start + PIECE])
            found = conn.execute(select(names.c.key, names.c.text).where(names.c.list_id == roll.id, some))
            texts.update((row.key, row.text) for row in found)
        return texts
