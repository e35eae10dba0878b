"""Lists that change while calls are decided and policies come and go: the engine against sets, and beside threads."""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from ipaddress import IPv6Network
from itertools import count, cycle

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from interceptor.engine.engine import CALL_DTYPE, Engine, ListContent
from interceptor.engine.journal import MOST_KEYS, MOST_RUNS, Journal, changes
from interceptor.engine.keys import KeyKind, digits_key_of
from interceptor.engine.spec import Spec
from interceptor.numbering import load_plan
from interceptor.policy import load_policy
from tests.model.networks import mapped

PLAN = load_plan()
NOW = 1_700_000_000_000
CALLEE = "+8613900139000"
NAMES = ("fraud", "spam", "allowed", "own")
KINDS = ("number", "prefix", "pair", "network")
# Few numbers and prefixes of them, so that the same ones come and go.
NUMBERS = (*(f"861380013800{i}" for i in range(8)), "33162123456")
PREFIXES = ("8613800138", "86138001380", "861380013801", "33162", "3")

NETWORKS = tuple(
    map(IPv6Network, ("::ffff:192.0.2.0/120", "::ffff:192.0.2.7/128", "2001:db8::/32", "2001:db8::1"))
)
ADDRESSES = ("192.0.2.7", "192.0.2.8", "2001:db8::1", "198.51.100.1")

Entries = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[IPv6Network, ...]]
entries = st.tuples(  # numbers, prefixes, callers of CALLEE, networks
    st.lists(st.sampled_from(NUMBERS), max_size=5).map(tuple),
    st.lists(st.sampled_from(PREFIXES), max_size=2).map(tuple),
    st.lists(st.sampled_from(NUMBERS), max_size=5).map(tuple),
    st.lists(st.sampled_from(NETWORKS), max_size=2).map(tuple),
)
names = st.sampled_from(NAMES)


def made(**sizes: int) -> Engine:
    return Engine(PLAN, secret=bytes(16), **sizes)


def key(number: str) -> int:
    return digits_key_of(KeyKind.KEY_NUMBER, number.encode())


def content(
    numbers: Iterable[str] = (),
    prefixes: Iterable[str] = (),
    callers: Iterable[str] = (),
    networks: Iterable[IPv6Network] = (),
) -> ListContent:
    return ListContent(
        np.array([key(number) for number in numbers], np.uint64),
        [(0, prefix.encode()) for prefix in prefixes],
        np.array([(key(CALLEE[1:]), key(caller)) for caller in callers], np.uint64).reshape(-1, 2),
        [(network.network_address.packed, network.prefixlen) for network in networks],
    )


def fitting(kind: str, some: Entries) -> Entries:
    """What of some entries a list of a kind has."""
    numbers, prefixes, callers, networks = some
    if kind == "pair":
        return (), (), callers, ()
    return ((), (), (), networks) if kind == "network" else (numbers, prefixes, (), ())


@cache
def policy(lists: tuple[tuple[str, str], ...]) -> Spec:
    """One shadow rule for each list, of the list's name, which matches a caller or address that is on it."""
    lines = ["version: 1", "lists:"] if lists else ["version: 1"]
    lines += [f"  {name}: {{kind: {kind}}}" for name, kind in lists]
    lines += ["rules:"] if lists else ["rules: []"]
    lines += [
        f"  - {{id: {name}, when: call.{'source_ip' if kind == 'network' else 'caller'} in lists.{name}, "
        "verdict: warn, mode: shadow}"
        for name, kind in lists
    ]
    return load_policy("policy.yaml", "\n".join([*lines, "default: pass"]))


class Meanwhile(ListContent):
    """Content that has something else done at the moment when its keys are read, tables being built."""

    def __init__(self, made: ListContent, act: Callable[[], None]) -> None:
        object.__setattr__(self, "_made", made)
        object.__setattr__(self, "_act", [act])

    def __len__(self) -> int:
        return len(self._made)  # type: ignore[attr-defined]

    def __getattribute__(self, name: str) -> object:
        if name not in ("keys", "prefixes", "pairs", "networks"):
            return object.__getattribute__(self, name)
        acts = object.__getattribute__(self, "_act")
        if acts:
            acts.pop()()
        return getattr(object.__getattribute__(self, "_made"), name)


class ListsAreSets(RuleBasedStateMachine):
    """Any policies and changes in any order, also such as come while tables are being built for another."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = made(events=64, repeats=16, added=16)
        self.revisions = count(1)
        self.lists: dict[str, tuple[str, set[str], set[str], set[str], set[IPv6Network]]] = {}
        self.publish([], {}, [])

    @rule(
        lists=st.lists(st.tuples(names, st.sampled_from(KINDS)), unique_by=lambda each: each[0]),
        given=st.dictionaries(names, entries, max_size=2),
        changes=st.lists(st.tuples(names, entries, st.booleans()), max_size=3),
    )
    def publish(
        self,
        lists: list[tuple[str, str]],
        given: dict[str, Entries],
        changes: list[tuple[str, Entries, bool]],
    ) -> None:
        before, kinds = self.lists, dict(lists)
        given = {name: fitting(kinds.get(name, "number"), some) for name, some in given.items()}
        known = [(n, fitting(before[n][0], some), on) for n, some, on in changes if n in before]
        acts = [partial(self._in_place, *change) for change in known]
        contents = {name: Meanwhile(content(*given[name]), lambda: [act() for act in acts]) for name in given}
        if sum(name in given for name, _ in lists) != 1:
            acts.clear()  # more than once, or never
            known = []
        self.engine.publish(policy(tuple(lists)), contents, revision=next(self.revisions))
        self.lists = {}
        for name, kind in lists:
            if name in given:
                self.lists[name] = (kind, *map(set, given[name]))
            elif name in before and before[name][0] == kind:
                self.lists[name] = before[name]
            else:
                self.lists[name] = (kind, set(), set(), set(), set())
        for name, some, on in known:  # they came after the policy
            if name in self.lists and self.lists[name][0] == before[name][0]:
                self._model(name, some, on)

    @rule(name=names, some=entries, on=st.booleans())
    def change_in_place(self, name: str, some: Entries, on: bool) -> None:
        if name not in self.lists:
            with pytest.raises(KeyError, match=f"no list '{name}'"):
                self._in_place(name, some, on)
        else:
            some = fitting(self.lists[name][0], some)
            assert self._in_place(name, some, on) == self._model(name, some, on)

    @rule(
        name=names,
        add=entries,
        remove=entries,
        meanwhile=st.none() | st.tuples(names, entries, st.booleans()),
    )
    def apply(
        self, name: str, add: Entries, remove: Entries, meanwhile: tuple[str, Entries, bool] | None
    ) -> None:
        if name not in self.lists:
            return
        add, remove = (fitting(self.lists[name][0], some) for some in (add, remove))
        added: ListContent = content(*add)
        meanwhile = self._meanwhile(meanwhile)
        if meanwhile is not None and len(added) > 1:
            added = Meanwhile(added, partial(self._in_place, *meanwhile))
        else:
            meanwhile = None
        counts = self.engine.apply(name, added, content(*remove))
        stays = [[each for each in one if each not in other] for one, other in zip(remove, add, strict=True)]
        taken_off = self._model(name, stays, False)
        put_on = self._model(name, add, True)
        if meanwhile is None:
            assert counts == (put_on, taken_off)
        else:
            self._model(*meanwhile)

    @rule(name=names, some=entries, meanwhile=st.none() | st.tuples(names, entries, st.booleans()))
    def replace(self, name: str, some: Entries, meanwhile: tuple[str, Entries, bool] | None) -> None:
        if name not in self.lists:
            return
        some = fitting(self.lists[name][0], some)
        made: ListContent = content(*some)
        meanwhile = self._meanwhile(meanwhile)
        if meanwhile is not None:
            made = Meanwhile(made, partial(self._in_place, *meanwhile))
        self.engine.replace(name, made)
        self.lists[name] = (self.lists[name][0], *map(set, some))
        if meanwhile is not None:
            self._model(*meanwhile)

    def _meanwhile(self, change: tuple[str, Entries, bool] | None) -> tuple[str, Entries, bool] | None:
        """A change that comes while tables are being built, if there is such a list."""
        if change is None or change[0] not in self.lists:
            return None
        return change[0], fitting(self.lists[change[0]][0], change[1]), change[2]

    def _in_place(self, name: str, some: Entries, on: bool) -> int:
        return (self.engine.add if on else self.engine.remove)(name, content(*some))

    def _model(self, name: str, some: Sequence[Iterable[object]], on: bool) -> int:
        changed = 0
        for held, given in zip(self.lists[name][1:], some, strict=True):
            before = len(held)
            held.update(given) if on else held.difference_update(given)
            changed += abs(len(held) - before)
        return changed

    @invariant()
    def same_as_the_sets(self) -> None:
        sizes = self.engine.stats()["list_sizes"]
        assert sizes == {name: sum(map(len, held)) for name, (_, *held) in self.lists.items()}
        for number, address in zip(NUMBERS, cycle(ADDRESSES)):
            on = [
                name
                for name, (_, numbers, prefixes, callers, networks) in self.lists.items()
                if number in numbers
                or number.startswith(tuple(prefixes))
                or number in callers
                or any(mapped(address) in network for network in networks)
            ]
            call = {"caller": "+" + number, "callee": CALLEE, "source_ip": address}
            assert sorted(self.engine.explain(call, NOW).decision.shadow) == sorted(on)
            for name, (_, numbers, _, callers, _) in self.lists.items():
                assert self.engine.contains(name, key(number)) == (number in numbers)
                assert self.engine.contains(name, (key(CALLEE[1:]), key(number))) == (number in callers)
        for name, (*_, networks) in self.lists.items():
            for network in NETWORKS:
                packed = network.network_address.packed, network.prefixlen
                assert self.engine.contains(name, packed) == (network in networks)


TestListsAreSets = ListsAreSets.TestCase
TestListsAreSets.settings = settings(max_examples=settings.default.max_examples // 4)

BOTH_OR_NEITHER = """
version: 1
lists:
  fraud: {kind: number}
  others: {kind: number}
rules:
  - {id: both, when: call.caller in lists.fraud && call.callee in lists.fraud, verdict: block, class: list}
  - {id: half, when: call.caller in lists.fraud || call.callee in lists.fraud, verdict: warn}
default: pass
"""


def test_an_import_is_seen_whole_or_not_at_all_and_single_entries_beside_it_at_once(
    scale: Callable[[int, int], int],
) -> None:
    """One of a call's numbers is listed by itself, the other by its prefix: entries of two tables."""
    swapped = BOTH_OR_NEITHER.replace("  fraud: {kind: number}\n", "").replace(
        "rules:", "  fraud: {kind: number}\nrules:"
    )
    policies = [load_policy("policy.yaml", text) for text in (BOTH_OR_NEITHER, swapped)]
    engine = made(pass_sample=0)
    engine.publish(policies[0], {}, revision=1)
    calls = np.zeros(256, dtype=CALL_DTYPE)
    calls["caller"], calls["callee"] = b"+8613800138001", b"+33162123456"
    times = np.full(len(calls), NOW)
    over, wrong, verdicts = threading.Event(), [], set()

    def watch(decide: Callable[..., np.ndarray]) -> None:
        while not over.wait(0.001):  # whoever builds needs a turn, too
            answers = decide(calls, times)
            verdicts.update(answers["rule"].tolist())
            if (answers["rule"] == 1).any():
                wrong.append("half of an import was seen")

    def add_and_ask() -> None:
        for single in count(1):
            number = ListContent(np.array([key(f"86150{single:08}")], np.uint64))
            if engine.add("fraud", number) != 1 or not engine.contains("fraud", int(number.keys[0])):
                wrong.append(f"{single} was added and is not there")
            engine.add("others", number)
            if single % 3 == 0:
                engine.remove("others", number)
            if over.wait(0.0005):
                kept.append(single)
                return

    kept: list[int] = []
    threads = [
        threading.Thread(target=watch, args=(partial(engine.enlist().decide_batch, rounds=10),)),
        threading.Thread(target=watch, args=(engine.decide_batch,)),
        threading.Thread(target=add_and_ask),
    ]
    for thread in threads:
        thread.start()
    many = np.arange(key("8617000000000"), key("8617000000000") + scale(20_000, 1_000_000), dtype=np.uint64)
    together = ListContent(np.append(many, np.uint64(key("8613800138001"))), [(0, b"33162")])
    for turn in range(scale(30, 300)):
        assert engine.apply("fraud", together, ListContent(many[:10])) == (len(together), 0)
        if turn % 3 == 0:
            engine.publish(policies[turn // 3 % 2], {}, revision=turn + 2)
        engine.replace("others", ListContent(many[: turn * 100]))
        singles = engine.stats()["list_sizes"]["fraud"] - len(together)
        assert engine.apply("fraud", ListContent(many[:0]), together) == (0, len(together))
        assert engine.stats()["list_sizes"]["fraud"] >= singles
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert verdicts >= {0} and engine.stats()["list_sizes"]["fraud"] == kept[0]
    assert all(engine.contains("fraud", key(f"86150{single:08}")) for single in range(1, kept[0] + 1, 7))


def test_a_policy_with_the_same_lists_shares_their_tables_and_one_with_others_takes_over_what_it_names() -> (
    None
):
    number, prefix = ("fraud", "number"), ("spam", "prefix")
    engine = made()
    engine.publish(
        policy((number, prefix)), {"fraud": content(NUMBERS), "spam": content((), PREFIXES)}, revision=1
    )
    engine.publish(policy((number, prefix)), {}, revision=2)
    assert engine.stats()["list_sizes"] == {"fraud": len(NUMBERS), "spam": len(PREFIXES)}
    engine.publish(policy((prefix, ("own", "number"), number)), {}, revision=3)
    assert engine.stats()["list_sizes"] == {"spam": len(PREFIXES), "own": 0, "fraud": len(NUMBERS)}
    engine.publish(policy((("spam", "number"), number)), {"fraud": content(NUMBERS[:2])}, revision=4)
    assert engine.stats()["list_sizes"] == {"spam": 0, "fraud": 2}


def test_what_is_out_of_range_changes_nothing() -> None:
    engine = made()
    engine.publish(policy((("fraud", "number"),)), {"fraud": content(NUMBERS)}, revision=1)
    bad = ListContent(np.array([key(CALLEE[1:])], np.uint64), [(0, b"12x")])
    for change in (
        lambda: engine.add("fraud", bad),
        lambda: engine.apply("fraud", bad, content(NUMBERS)),
        lambda: engine.apply("fraud", content(NUMBERS), bad),
        lambda: engine.replace("fraud", bad),
        lambda: engine.publish(policy((("fraud", "number"),)), {"fraud": bad}, revision=2),
    ):
        with pytest.raises(ValueError, match="prefix b'12x'"):
            change()
        assert engine.stats()["list_sizes"] == {"fraud": len(NUMBERS)}
        assert not engine.contains("fraud", key(CALLEE[1:]))
    assert engine.add("fraud", content([CALLEE[1:]])) == 1  # nor is anybody kept waiting by what failed


def test_tables_grow_beside_those_in_force_and_lose_what_was_removed() -> None:
    engine = made()
    engine.publish(policy((("fraud", "number"), ("own", "number"))), {"own": content(NUMBERS)}, revision=1)
    empty = engine.stats()["list_bytes"]
    keys = np.arange(key("8617000000000"), key("8617000000000") + 300_000, dtype=np.uint64)
    assert sum(engine.add("fraud", ListContent(part)) for part in np.array_split(keys, 91)) == len(keys)
    assert engine.stats()["list_sizes"] == {"fraud": len(keys), "own": len(NUMBERS)}
    assert engine.stats()["list_bytes"] > 3 * empty
    assert engine.remove("fraud", ListContent(keys)) == len(keys)
    engine.replace("fraud", content(NUMBERS))
    assert engine.stats()["list_bytes"] == empty


def test_tables_that_a_thread_looks_at_stay_until_it_has_answered() -> None:
    engine = made()
    engine.publish(policy((("fraud", "number"),)), {"fraud": content(NUMBERS)}, revision=1)
    calls = np.zeros(100_000, dtype=CALL_DTYPE)
    calls["caller"] = b"+" + NUMBERS[0].encode()
    answers: list[np.ndarray] = []
    asking = threading.Thread(
        target=lambda: answers.append(engine.decide_batch(calls, np.full(len(calls), NOW)))
    )
    asking.start()
    for _ in range(20):
        engine.apply("fraud", content(NUMBERS), content(PREFIXES))
    asking.join()
    assert (answers[0]["shadow"] == 1).all()


def beside(engine: Engine, work: Callable[[threading.Event], None]) -> None:
    """Replaces a list, and until `work`, on a thread of its own, says so nothing is put in force."""
    said = threading.Event()
    worker = threading.Thread(target=work, args=(said,))

    def act() -> None:
        worker.start()
        said.wait()

    engine.replace("own", Meanwhile(content(NUMBERS), act))
    worker.join()


def test_who_needs_more_room_than_there_is_waits_for_who_builds() -> None:
    engine = made()
    engine.publish(policy((("fraud", "number"), ("own", "number"))), {}, revision=1)
    keys = np.arange(key("8617000000000"), key("8617000000000") + 300_000, dtype=np.uint64)
    added = []

    def add(said: threading.Event) -> None:
        added.append(engine.add("fraud", content(NUMBERS)))
        said.set()
        added.append(engine.add("fraud", ListContent(keys)))

    beside(engine, add)
    assert added == [len(NUMBERS), len(keys)]
    assert engine.stats()["list_sizes"] == {"fraud": len(NUMBERS) + len(keys), "own": len(NUMBERS)}


def test_whoever_changes_lists_waits_for_a_builder_that_is_too_far_behind() -> None:
    engine = made()
    engine.publish(policy((("fraud", "number"), ("own", "number"))), {}, revision=1)
    one, other = content(NUMBERS[:1]), content(NUMBERS[1:2])

    def change(said: threading.Event) -> None:
        for turn in range(MOST_RUNS // 2 + 10):
            if turn == MOST_RUNS // 2:
                said.set()
            engine.add("fraud", one)
            engine.remove("fraud", one)
        engine.add("fraud", other)

    beside(engine, change)
    assert engine.stats()["list_sizes"] == {"fraud": 1, "own": len(NUMBERS)}
    assert engine.contains("fraud", int(other.keys[0]))


def test_a_journal_joins_what_follows_each_other_and_leaves_out_lists_that_are_gone() -> None:
    journal = Journal()
    for some in (NUMBERS[:2], NUMBERS[2:3]):
        journal.note("fraud", content(some, PREFIXES[:1]), True)
    journal.note("spam", content(NUMBERS), True)
    journal.note("fraud", content((), PREFIXES), False)
    assert journal.short and not journal.full
    first, second = changes(journal.take(), {"fraud": 3})
    assert (first[0], first[1].keys.tolist(), first[2]) == (3, [key(n) for n in NUMBERS[:3]], True)
    assert list(first[1].prefixes) == [(0, PREFIXES[0].encode())] * 2
    assert (second[0], len(second[1]), second[2]) == (3, len(PREFIXES), False)
    journal.note("own", content((), (), NUMBERS[:2], NETWORKS[:1]), True)
    journal.note("own", content((), (), NUMBERS[2:3], NETWORKS[1:]), True)
    ((_, own, _),) = changes(journal.take(), {"own": 0})
    assert np.array_equal(own.pairs, content(callers=NUMBERS[:3]).pairs)
    assert own.networks == content(networks=NETWORKS).networks
    assert journal.take() == []
    journal.note("fraud", ListContent(np.arange(MOST_KEYS, dtype=np.uint64)), True)
    assert journal.full and not journal.short
