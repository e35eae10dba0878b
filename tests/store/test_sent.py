"""What was sent stays sent until its time is over: on both databases, after a restart, whoever else writes."""

import os

from interceptor.store.store import Store
from store.conftest import Open
from store.deeds import NOW

DAY = 24 * 3600 * 1000
KEYS = [bytes([i]) * 16 for i in range(8)]


def test_what_was_remembered_is_known_and_nothing_else(store: Store) -> None:
    store.sent.remember(NOW, KEYS[:3])
    assert store.sent.known(NOW, KEYS) == set(KEYS[:3])
    assert store.sent.known(NOW, []) == set()


def test_what_was_sent_today_is_new_tomorrow(store: Store) -> None:
    store.sent.remember(NOW, KEYS)
    assert store.sent.known(NOW + DAY, KEYS) == set()


def test_what_is_remembered_again_is_remembered_once(store: Store) -> None:
    store.sent.remember(NOW, KEYS[:4])
    store.sent.remember(NOW, KEYS[2:])
    store.sent.remember(NOW, [])
    assert store.sent.known(NOW, KEYS) == set(KEYS)
    assert store.sent.sweep(NOW) == len(KEYS)


def test_it_is_known_after_a_restart(reopen: Open) -> None:
    before = reopen()
    before.sent.remember(NOW, KEYS)
    before.close()
    assert reopen().sent.known(NOW, KEYS) == set(KEYS)


def test_what_is_over_is_swept_in_pieces_and_the_rest_stays(store: Store) -> None:
    many = [os.urandom(16) for _ in range(20_000)]
    for until, some in ((NOW - DAY, many[:9000]), (NOW, many[9000:]), (NOW + 1, KEYS)):
        store.sent.remember(until, some)
    taken = []
    while swept := store.sent.sweep(NOW):
        taken.append(swept)
    assert sum(taken) == len(many)
    assert len(taken) > 1
    assert store.sent.known(NOW, many) == set()
    assert store.sent.known(NOW + 1, KEYS) == set(KEYS)


def test_a_store_made_before_there_were_reminders_is_brought_up_to_date(reopen: Open) -> None:
    before = reopen()
    with before.database.write() as conn:
        conn.exec_driver_sql("DROP TABLE sent")
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    before.close()
    after = reopen()
    after.sent.remember(NOW, KEYS)
    assert after.sent.known(NOW, KEYS) == set(KEYS)
