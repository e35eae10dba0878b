"""The store as the rest of the house sees it: everything that must outlive the service, behind one door."""

import secrets
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import insert, select

from interceptor.engine.plan import NumberingPlan
from interceptor.store import changes
from interceptor.store.credentials import Credentials
from interceptor.store.database import Database
from interceptor.store.decisions import RememberedDecisions
from interceptor.store.demotions import Demotions
from interceptor.store.directory import DataDirectory
from interceptor.store.feedback import Feedback
from interceptor.store.images import Images
from interceptor.store.imports import Imports
from interceptor.store.lists import Lists
from interceptor.store.policies import Policies
from interceptor.store.privacy import Privacy
from interceptor.store.schema import installation
from interceptor.store.sent import Sent
from interceptor.store.trail import AuditTrail
from interceptor.store.undo import Undo


class Store:
    """What `Store.open` gives. Any number of threads."""

    def __init__(
        self,
        directory: DataDirectory,
        database: Database,
        plan: NumberingPlan,
        home: str,
        clock: Callable[[], int],
    ) -> None:
        self._directory = directory
        self.database = database
        with database.write() as conn:
            found = conn.execute(select(installation)).first()
            if found is None:
                conn.execute(
                    insert(installation).values(
                        id=1,
                        identity=secrets.token_hex(16),
                        secret=secrets.token_bytes(16),
                        audit_key=secrets.token_bytes(32),
                        created_ms=clock(),
                    )
                )
                found = conn.execute(select(installation)).one()
        self.identity: str = found.identity  #: which store an image belongs to
        self.secret = bytes(found.secret)  #: keys of texts depend on it: the Engine is made with it
        self.audit = AuditTrail(database, directory.path)
        self.policies = Policies(database)
        self.demotions = Demotions(database)
        self.feedback = Feedback(database)
        self.sent = Sent(database)
        self.credentials = Credentials(database)
        self.decisions = RememberedDecisions(directory.path / "decisions.sqlite")
        self.lists = Lists(database, plan, home, self.secret, bytes(found.audit_key))
        self.undo = Undo(self.lists)
        self.imports = Imports(self.lists, directory.path / "imports")
        self.images = Images(self.lists, directory.path, self.identity)
        self.privacy = Privacy(
            database,
            self.decisions,
            plan=plan,
            home=home,
            secret=self.secret,
            audit_key=bytes(found.audit_key),
            copies=(self.images.forget, self.imports.spool.forget),
        )

    @classmethod
    def open(
        cls,
        data: Path,
        url: str | None = None,
        *,
        plan: NumberingPlan,
        home: str,
        clock: Callable[[], int],
    ) -> "Store":
        """Opens the store, or makes it.

        Parameters
        ----------
        data
            The directory of the database, of spooled imports and of the image. One process at a time.
        url
            Of a PostgreSQL database, in place of the one in `data`: postgresql://user:password@host/database.
        plan, home
            What numbers are read by.
        clock
            Milliseconds since the Unix epoch.

        Raises
        ------
        StoreUnavailableError
            The directory or the database cannot be used.
        StoreRefusedError
            Another process has the directory, or the database is none of ours.
        """
        directory = DataDirectory(data)
        try:
            database = Database.open(data, url)
            try:
                return cls(directory, database, plan, home, clock)
            except BaseException:
                database.close()
                raise
        except BaseException:
            directory.close()
            raise

    def freeze(self, patience: float) -> None:
        """Leaves the store to another process: changes are refused from now on, and the directory is free.

        Raises StoreUnavailableError when a large change is not done within `patience` seconds: all is as it was.
        """
        self.database.freeze(patience)
        self._directory.close()

    def thaw(self) -> None:
        """Takes it back. Raises StoreRefusedError while another process has it."""
        self._directory.take()
        self.database.thaw()

    def revision(self) -> int:
        """The last live revision; 0 before the first."""
        with self.database.read() as conn:
            return changes.revision(conn)

    def close(self) -> None:
        """Ends every connection and lets go of the directory. What was acknowledged is on disk already."""
        self.decisions.close()
        self.database.close()
        self._directory.close()
