"""The engine's Python face: the one border at which calls come in as Python objects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.answers import Answer as Answer
from interceptor.engine.answers import CallError as CallError
from interceptor.engine.answers import CounterTrace as CounterTrace
from interceptor.engine.answers import Decision as Decision
from interceptor.engine.answers import Differing as Differing
from interceptor.engine.answers import Explanation as Explanation
from interceptor.engine.answers import Flip as Flip
from interceptor.engine.answers import Judgement as Judgement
from interceptor.engine.answers import ListTrace as ListTrace
from interceptor.engine.answers import NumberTrace as NumberTrace
from interceptor.engine.answers import RuleTrace as RuleTrace
from interceptor.engine.answers import TrialState as TrialState
from interceptor.engine.entity import EntityNow
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.snapshot import Companion
from interceptor.engine.spec import KeyPart, Spec
from interceptor.engine.spec import ListContent as ListContent
from interceptor.engine.state import StateDirectory

#: Calls as a structured array, one row a call: texts as fixed-width bytes (empty: absent), `present` has bit s set
#: when scalar s is there, `scalar` holds the four scalars. Widths: numbers and ids 32, call_id and user_agent 64.
CALL_DTYPE: np.dtype[np.void]
#: Decisions: id u8, shadow u8, revision u4, rule u2, verdict u1, block_class u1, repeated u1, added u1, errors u2
DECISION_DTYPE: np.dtype[np.void]

class Engine:
    """Decides calls under the last published policy.

    Thread-safe: any number of threads may decide, add and remove at once. `publish`, `apply` and `replace` build for
    seconds when the lists are long, one after the other; `drain_events` is for one thread.
    """

    def __init__(
        self,
        plan: NumberingPlan,
        *,
        home: str = "CN",
        secret: bytes | None = None,
        boot_ms: int = 0,
        repeats: int = 1 << 20,
        events: int = 1 << 16,
        pass_sample: int = 1000,
        added: int = 1 << 16,
        state: StateDirectory | None = None,
        calls_in_flight: int = 1 << 20,
    ) -> None:
        """An engine with no policy yet.

        home: region whose dial plan and emergency numbers hold where a trunk names none. secret: 16 bytes that key
        the hashes of texts (default: random). boot_ms: start of this process, so that decision ids never repeat.
        repeats, added: entries of the tables of answered call ids and of what rules put on lists. events: size of
        the ring, a power of two. calls_in_flight: calls whose answer and end can be joined to their decision, 137
        bytes each, taken when a policy first counts what is reported; the oldest make room. pass_sample: every n-th
        pass becomes an event; 0 for none. state: where the tables of entities, of answered call ids and of calls in
        flight lie, so that they outlive the process; the first publish takes up the counters that an earlier one has
        left, as any publish does. Raises StateError, MemoryError.
        """

    @property
    def plan(self) -> NumberingPlan: ...
    @property
    def home(self) -> str: ...
    def publish(
        self,
        spec: Spec,
        lists: Mapping[str, ListContent],
        *,
        revision: int,
        companion: Companion | None = None,
    ) -> None:
        """Builds the snapshot of a policy and swaps it in. On any error the old one stays.

        A list that `lists` does not give keeps the entries it has, by name and kind. With the same lists in the same
        order and none given the tables are shared, and nothing is copied whatever their size. Otherwise new ones are
        made beside those in force, which `add` and `remove` go on changing; the new ones have those changes too.

        Counters whose definition did not change keep their state. `companion` travels with the snapshot to the
        threads that decide without the GIL, and lives as long. Returns when none of those looks at the old one any
        more: they pass such a point between any two batches, and one that is asleep holds nothing up.
        """

    def succeed(self, *, died: bool) -> None:
        """The process beside is gone, with which the tables in the state directory were shared since the start.

        died : before it was done: locks that it held are let go of, and entries that it was changing dropped (counted
            as torn). Beside threads that decide.
        """

    def enlist(self) -> Enlisted:
        """A place for a thread that decides without the GIL, before or after the first policy is published.

        Raises RuntimeError when all but one of the 64 places are taken, MemoryError when there is no memory for it.
        """

    @property
    def spec(self) -> Spec: ...
    @property
    def revision(self) -> int: ...
    @property
    def secret(self) -> bytes: ...
    def decide(self, call: Mapping[str, Any], now_ms: int) -> Decision:
        """Decides one call.

        `call` maps field names (as in DecideRequest, plus `switch`) to values: str or bytes for texts, bool or int
        for scalars, a sequence of texts for `redirecting`, a mapping for `tags`. Absent and empty are the same for
        texts. Raises CallError for unknown fields, wrong types, texts over 1024 bytes, invalid UTF-8 and control
        characters; nothing is counted then.
        """

    def decide_batch(
        self, calls: npt.NDArray[np.void], now_ms: npt.NDArray[np.int64], *, chunk: int = 64
    ) -> npt.NDArray[np.void]:
        """Decides rows of CALL_DTYPE in order, `chunk` (1..64) at a time, without the GIL."""

    def explain(self, call: Mapping[str, Any], now_ms: int) -> Explanation:
        """What `decide` would answer now, and why. Touches nothing."""

    def drain_samples(self, limit: int = 256) -> list[bytes]:
        """Takes up to `limit` sampled calls, the oldest first; for one thread.

        A call is sampled every 64 ms at most, 15.6 a second whatever the load; repeated ones are not, as they are the
        same call again. The ring holds 256: 16 seconds. A sample is an opaque record of at most 8,192 bytes (some 700
        for most policies) for `judge` of an engine with the same secret: the call as it came, its counters' values,
        its time, what was answered. Its numbers are not masked.
        """

    def judge(
        self,
        samples: Sequence[bytes],
        *,
        spec: Spec | None = None,
        changes: Mapping[str, tuple[ListContent, ListContent]] | None = None,
    ) -> Judgement:
        """What another policy, or other lists, would have answered to recent calls. Changes nothing.

        Both answers are made now, by what decides calls: the live policy's with the lists as they are, the other's
        with `spec` (None: the live one) and `changes`, so that nothing shows but what these do. A list is the running
        one of that name and kind, else empty; a change takes entries off it, then puts others on, as `apply` does. A
        counter has the value it had for that call if the policy in force then had one of equal definition (measure,
        per, window, element, where); else it cannot be read, and is named. `add_to` is not executed. A demoted rule
        whose condition the candidate keeps warns there too. Emergency calls pass under both, as each policy knows
        them.

        Runs without the GIL. Raises KeyError for a change of an unknown list, ValueError for a sample that is none,
        for a policy that cannot be published, and when both policies together have more than 64 lists, MemoryError.
        """

    def asked(self, samples: Sequence[bytes]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
        """The keys that the lists of the policy in force are asked for by recent calls, and how many by each call.

        Shapes (m,), call after call, and (n,), whose sum is m. A change of lists' keys that has none of a call's keys
        is nothing to that call; prefixes, pairs and networks are not among them.
        """

    def start_trial(self, spec: Spec, *, name: str = "", number: int = 1) -> None:
        """Runs a whole policy in shadow beside the live one, on every call from now on. Ends a trial that runs.

        It decides each call that the live policy decides, repeated ones excepted, with the running lists of the same
        names and kinds (others are empty) and the live values of counters of equal definition. Its other counters
        start empty and live in entity tables of its own. It never executes `add_to`. A call that gets another verdict
        is counted by kind, and put into the event ring as an event of its own (`trial` is `number`, 1 to 255), at most
        64 in 64 ms and thread.

        A publish goes on with it beside the new policy; what it counted is kept, except by counters that become the
        live policy's or cease to be. If it cannot, for want of memory or with more than 64 lists in both, the trial
        ends and says why. Raises what `publish` raises for a policy that cannot be, and ValueError for more than 64
        lists.
        """

    def stop_trial(self) -> TrialState | None:
        """Ends the trial and says how it stood; None when none was ever started. Again: the same."""

    def trial(self) -> TrialState | None:
        """How the trial that runs, or the last one, stands; None when none was ever started."""

    def demote(self, rule: str) -> None:
        """Makes a running rule's block a warning, from the next call on. Again: nothing changes.

        It stays so across policies that keep the rule's id, its condition and that it blocks. A call repeated within
        32 s gets its first answer again. Raises KeyError for an unknown rule, ValueError for one that does not block,
        is a shadow rule, or is of class LIST: an attacker must find no off switch for the lists.
        """

    def promote(self, rule: str) -> None:
        """Lets a demoted rule block again, from the next call on. One that is not demoted is left as it is."""

    @property
    def demoted(self) -> frozenset[str]:
        """Ids of the demoted rules of the policy in force."""

    def drain_events(self, limit: int = 4096) -> npt.NDArray[np.void]:
        """Takes up to `limit` events (dtype events.EVENT_DTYPE) off the ring."""

    @property
    def events_entered(self) -> int:
        """Events that found room in the ring so far: `drain_events` gives as many, in the order they came.

        Those of a trial that was stopped are among them.
        """

    def report(self, report: Mapping[str, Any], now_ms: int) -> str:
        """What became of a call after its setup.

        Parameters
        ----------
        report
            ``call_id`` and ``switch`` it was decided under; ``event``: "answered" or "ended"; optional: ``time_ms`` by
            the switch's clock, ``duration_ms`` from answer to end, ``cause`` (Q.850), ``call``: the call as it was
            asked about, whose keys count where no decision is found.
        now_ms
            The clock of the counters' windows, as for `decide`.

        Returns
        -------
        str
            "joined" to its decision; "carried": counted by the keys of its call; "early": kept for 32 s until its call
            is decided; "repeated": counted before; "blocked", as the call was; "unknown": nothing to count by, or the
            policy counts nothing that is reported. Only the first two count anything now.

        Raises
        ------
        CallError
            A malformed field; nothing was counted.
        """

    def report_subscription(self, event: str, card: Mapping[str, Any], now_ms: int) -> str:
        """What happened to a card: "activated", "reactivated", "attached", "sms".

        card: ``number`` (the policy's `caller`), ``imsi``, ``imei``, ``cell``, ``trunk``, ``tags``, ``switch``, all
        optional; ``report_id``: the same from the same switch counts once. Returns "carried", "repeated" or "unknown",
        as `report`; raises what it raises.
        """

    def replay_batch(
        self,
        calls: npt.NDArray[np.void],
        now_ms: npt.ArrayLike,
        happening: npt.ArrayLike,
        row: npt.ArrayLike,
        duration_ms: npt.ArrayLike | None = None,
    ) -> npt.NDArray[np.void]:
        """Decides calls and takes reports, in one order, without the GIL.

        Parameters
        ----------
        calls : shape (n,), dtype CALL_DTYPE
            Calls, and cards as calls: ``caller`` is the card's number, ``call_id`` its report's.
        now_ms, happening, row : shape (m,)
            Events in their order: when (windows go by it, and it must not go back), which Happening, of which row of
            `calls`. An answer or an end finds its decision by the row's switch and call_id, of whichever batch; rows
            without a call_id are counted by their keys.
        duration_ms : shape (m,)
            Of ends: milliseconds talked, -1 where none is known: then the time since the answer, if there was one.

        Returns
        -------
        shape (m,), dtype DECISION_DTYPE
            Of each event that is a setup; all zero for the others.

        Raises
        ------
        TypeError, ValueError
            Shapes, or rows and Happenings there are not.
        CallError
            A malformed text; nothing was decided.
        """

    def add(self, name: str, entries: ListContent) -> int:
        """Puts entries on a list of the published policy; the next call sees them. Returns how many were new.

        In place, an entry at a time, and in what `publish`, `apply` and `replace` are building meanwhile too. Raises
        KeyError for an unknown list, ValueError for an entry out of range (nothing has changed then), MemoryError. Who
        takes the last free places of a table makes one with more room, beside it, before this returns.
        """

    def remove(self, name: str, entries: ListContent) -> int:
        """Takes entries off a list, in place. Returns how many were on it. Raises what `add` raises."""

    def apply(self, name: str, add: ListContent, remove: ListContent) -> tuple[int, int]:
        """Takes entries off a list and puts others on it, all at once: every call sees either none of it or all.

        What is in both is on the list. Builds a second set of tables, so that a change of one entry costs what one of
        a million costs; for few use `add` and `remove`, which this holds up for no longer than milliseconds. They
        come after it, whenever they were called while it was building. Returns how many were new and how many were
        taken off. Raises what `add` raises.
        """

    def replace(self, name: str, content: ListContent) -> None:
        """Gives a list another content, all at once, as `apply` does."""

    def contains(self, name: str, entry: int | tuple[int, int] | tuple[bytes, int]) -> bool:
        """Whether a key, a pair (callee, caller) or a network (address, length) itself is on a list.

        No prefix, no parent domain, no wider network counts. KeyError for an unknown list.
        """

    def entity_kinds(self) -> dict[str, tuple[KeyPart, ...]]:
        """The kinds of entity that the policy in force counts for, and the parts of their keys."""

    def entity(self, kind: str, texts: Sequence[str], now_ms: int) -> list[EntityNow]:
        """What is known of the entity of that kind, a text a part of its key; table by table, none when nothing is.

        Raises KeyError for an unknown kind, CallError for a text that cannot be, ValueError for a wrong number of them.
        """

    def reset_entity(self, kind: str, texts: Sequence[str]) -> int:
        """Ends all counters of that entity, from the next call on; how many tables had it. Raises as `entity` does."""

    def stats(self) -> dict[str, Any]:
        """Totals since the start: verdicts, rules (by id), list_hits, list_sizes, latency, entities, recent,
        events."""

class Enlisted:
    """One thread's place in an engine, from Python or, through engine.pxd, without the GIL."""

    def __init__(self, engine: Engine) -> None: ...
    @property
    def index(self) -> int:
        """Of the worker: the highest bits of its decisions' ids."""

    def decide_batch(
        self, calls: npt.NDArray[np.void], now_ms: npt.NDArray[np.int64], *, rounds: int = 1
    ) -> npt.NDArray[np.void]:
        """Decides rows of CALL_DTYPE in order, `rounds` times over, under what is in force at each chunk of 64.

        The answers are those of the last round. Not for two threads at once. Raises what Engine.decide_batch raises.
        """
