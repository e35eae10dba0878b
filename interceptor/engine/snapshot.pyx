# Builds a snapshot from a policy's Spec, over the tables of its lists. Holds the GIL; nothing here runs for a call.
import cython

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from interceptor.engine.atomics cimport ic_store8
from interceptor.engine.clocks cimport Clock
from interceptor.engine.columns cimport ACT_COUNT, ACT_END, ACT_READ
from interceptor.engine.entities cimport EntityTable
from interceptor.engine.entity_records cimport lines_of_column, lines_of_key
from interceptor.engine.intake cimport Dialled, Intake, Trunk
from interceptor.engine.keys cimport KeyKind, Secret, siphash, text_key
from interceptor.engine.live cimport LiveLists
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.opcodes cimport GUARD_FLAG, GUARD_LISTS
from interceptor.engine.pairing cimport PairingTable
from interceptor.engine.plan cimport NumberingPlan
from interceptor.engine.prefixes cimport PrefixRoot
from interceptor.engine.program cimport CompiledProgram, Guard
from interceptor.engine.recent cimport RecentTable
from interceptor.engine.stats cimport WorkerStats, stats_free, stats_new, stats_sum
from interceptor.engine.types cimport (
    MAX_COUNTERS, MAX_LISTS, MAX_SHADOW, N_FIELDS, N_HAPPENINGS, N_NUMBERS, Field, Text,
)

from interceptor.engine import layout, meanings, visits
from interceptor.engine.spec import UTC, ListKind, Trunk as DefaultTrunk

cdef Text borrowed(bytes data):
    cdef Text text
    text.data = data
    text.length = <uint32_t> len(data)
    return text


cdef void place_part(const Snapshot* s, Part* part) noexcept nogil:
    cdef uint32_t i
    part.kept = NO_PART
    for i in range(s.n_parts):
        if s.parts[i].field == part.field and s.parts[i].prefix == part.prefix:
            part.kept = <uint8_t> i


cdef (Part, Part) key_parts(key):
    cdef Part a, b
    a.kept = b.kept = NO_PART
    a.field, a.prefix = key[0].field, key[0].prefix
    b.field, b.prefix = (key[1].field, key[1].prefix) if len(key) > 1 else (NO_FIELD, 0)
    return a, b


cdef class Companion:
    pass


@cython.no_gc_clear         # its arrays go when nothing refers to it, never while a thread looks at them
cdef class SnapshotHolder:
    def __init__(self, spec, LiveLists lists not None, NumberingPlan plan, str home, bytes secret, previous,
                 RecentTable repeats, RecentTable grace, RecentTable added, fed, int revision, Companion companion,
                 state=None):
        cdef uint64_t seed
        if len(spec.lists) > MAX_LISTS or len(spec.counters) > MAX_COUNTERS:
            raise ValueError(f"a policy has at most {MAX_LISTS} lists and {MAX_COUNTERS} counters; this one has "
                             f"{len(spec.lists)} and {len(spec.counters)}")
        memcpy(&self.c.intake.secret, <const char*> secret, sizeof(Secret))
        seed = siphash(&self.c.intake.secret, b"tables", 6)
        self.owned = []
        self.spec, self.revision, self.lists = spec, revision, lists
        self.c.revision, self.c.default_verdict = revision, spec.default
        self.c.grace_ms = spec.emergency_grace_ms
        self.c.intake.plan = plan.plan
        self._fields(layout.fields_read(spec))

        spans = [r.when for r in spec.rules] + [c.where for c in spec.counters if c.where is not None]
        program = CompiledProgram(spec.code, spans, len(spec.counters), len(spec.lists))
        self.c.program = (<CompiledProgram> program).program
        self.c.tables = &lists.current
        self.c.repeats, self.c.grace, self.c.added = repeats.table, grace.table, added.table

        self._trunks(spec, plan, home)
        self._emergency(spec, plan)
        self._lookups(spec, fed)
        self._rules(spec)
        placed = visits.place_counters(spec, previous, seed, state=state)
        self._counters(spec, placed)
        self._feeds(spec, placed)
        self._kept(visits.kept(spec))
        self._meanings(spec)
        names = self._names(plan)
        self.c.stats = self.stats
        if companion is not None:
            self.c.companion = companion.address
        self.keep = (plan, program, repeats, grace, added, names, companion)

    cdef int enrol(self, uint32_t worker) except -1:
        if self.stats[worker] is NULL:
            self.stats[worker] = stats_new(len(self.spec.rules))
            if self.stats[worker] is NULL:
                raise MemoryError("no memory for a worker's counters")
        if self.trial is not None:
            self.trial.enrol(worker)
        return 0

    cpdef int say(self, uint32_t rule, uint8_t verdict) except -1:
        cdef uint32_t i
        for i in range(self.c.n_enforced):
            if self.c.enforced[i].index == rule:
                ic_store8(&self.c.enforced[i].verdict, verdict)
        return 0

    cdef void* array(self, size_t size) except NULL:
        cdef void* p
        if size == 0:               # an empty mapping cannot be had
            size = 1
        p = reserve(size)
        if p is NULL:
            raise MemoryError(f"no memory for {size} bytes of a policy's tables")
        self.owned.append((<size_t> p, size))
        return p

    cdef int _fields(self, uint32_t fields) except -1:
        cdef Intake* intake = &self.c.intake
        cdef uint32_t field
        own_way = {Field.F_CALLER, Field.F_CALLEE, Field.F_TRUNK, Field.F_IMEI, Field.F_IMSI, Field.F_DOMAIN}
        intake.fields = fields
        for field in range(N_FIELDS):
            if not (fields >> field) & 1 or field in own_way:
                continue
            if field < N_NUMBERS:
                intake.numbers[intake.n_numbers] = <unsigned char> field
                intake.n_numbers += 1
            else:
                intake.texts[intake.n_texts] = <unsigned char> field
                intake.n_texts += 1
        return 0

    cdef int _trunks(self, spec, NumberingPlan plan, str home) except -1:
        cdef Trunk* trunks = <Trunk*> self.array(sizeof(Trunk) * (len(spec.trunks) + 1))
        cdef Clock* clocks = <Clock*> self.array(sizeof(Clock) * (len(spec.trunks) + 1))
        named, times = [], {}
        for name, settings in {"default": DefaultTrunk(""), **spec.trunks}.items():
            encoded, region = name.encode(), settings.region or home
            called = (0 if name == "default" else
                      text_key(&self.c.intake.secret, KeyKind.KEY_TEXT + Field.F_TRUNK, encoded, len(encoded)))
            named.append((called, plan.region_index(region), settings.trusted, settings.own_subscribers))
            times[called] = settings.clock or spec.clocks.get(region, UTC)
        for i, (name, region, trusted, own) in enumerate(sorted(named)):
            trunks[i].name, trunks[i].region, trunks[i].trusted, trunks[i].own = name, region, trusted, own
            self._clock(&clocks[i], times[name])
        self.c.intake.trunks, self.c.intake.n_trunks = trunks, <uint32_t> len(named)
        self.c.clocks = clocks
        return 0

    cdef int _clock(self, Clock* clock, described) except -1:
        cdef int64_t* changes = <int64_t*> self.array(2 * sizeof(int64_t) * len(described.starts))
        cdef uint32_t i
        clock.n = <uint32_t> len(described.starts)
        clock.starts, clock.offsets = changes, changes + clock.n
        for i in range(clock.n):
            changes[i], changes[clock.n + i] = described.starts[i], described.offsets[i]
        return 0

    cdef int _emergency(self, spec, NumberingPlan plan) except -1:
        numbers = [(region, digits.encode()) for region, several in spec.emergency.items() for digits in several]
        cdef Dialled* dialled = <Dialled*> self.array(sizeof(Dialled) * len(numbers))
        for i, (region, digits) in enumerate(numbers):
            if not (1 <= len(digits) <= 13 and digits.isdigit()):
                raise ValueError(f"emergency number {digits!r} of {region}: give 1 to 13 digits as dialled")
            dialled[i].region, dialled[i].length = plan.region_index(region), <unsigned char> len(digits)
            memcpy(dialled[i].digits, <const char*> digits, len(digits))
        self.c.intake.emergency, self.c.intake.n_emergency = dialled, <uint32_t> len(numbers)
        return 0

    cdef int _lookups(self, spec, fed) except -1:
        cdef uint32_t i
        roots = {Field.F_IMEI: PrefixRoot.ROOT_IMEI, Field.F_IMSI: PrefixRoot.ROOT_IMSI}
        wanted = layout.lookups(spec)
        added_to = {i for i, described in enumerate(spec.lists) if described.name in fed}
        self.c.lookups = <Lookup*> self.array(sizeof(Lookup) * len(wanted))
        self.c.n_lookups = <uint32_t> len(wanted)
        for i, (field, lists) in enumerate(sorted(wanted.items())):
            self.c.lookups[i].field = field
            self.c.lookups[i].domain = field == Field.F_DOMAIN
            self.c.lookups[i].network = field == Field.F_SOURCE_IP
            self.c.lookups[i].pairs = any(spec.lists[index].kind == ListKind.PAIR for index in lists)
            self.c.lookups[i].root = (PrefixRoot.ROOT_NUMBER if field < N_NUMBERS else
                                      roots.get(field, PrefixRoot.N_ROOTS))
            self.c.lookups[i].dynamic = sum(1 << index for index in lists & added_to)
        self.c.list_identity = <uint64_t*> self.array(8 * len(spec.lists))
        for i, described in enumerate(spec.lists):
            name = described.name.encode()
            self.c.list_identity[i] = siphash(&self.c.intake.secret, name, len(name))
        return 0

    cdef int _rules(self, spec) except -1:
        cdef Rule* rule
        self.c.enforced = <Rule*> self.array(sizeof(Rule) * len(spec.rules))
        self.c.shadow = <Rule*> self.array(sizeof(Rule) * len(spec.rules))
        for index, described in enumerate(spec.rules):
            if described.shadow:
                if self.c.n_shadow == MAX_SHADOW:
                    raise ValueError(f"rule {described.id}: a policy has at most {MAX_SHADOW} shadow rules")
                rule = &self.c.shadow[self.c.n_shadow]
                rule.shadow_bit = <unsigned char> self.c.n_shadow
                self.c.n_shadow += 1
            else:
                rule = &self.c.enforced[self.c.n_enforced]
                self.c.n_enforced += 1
            rule.index = index
            rule.start, rule.end = described.when.start, described.when.end
            rule.verdict, rule.block_class = described.verdict, described.block_class
            if described.add_to is not None:
                rule.add_ms = described.add_to.for_ms
                rule.add_field = described.add_to.field
                rule.add_verified = described.add_to.needs_verified
                rule.add_list = self.c.list_identity[described.add_to.list]
        self._join_rules()
        return 0

    cdef int _join_rules(self) except -1:
        # Rules that begin by asking for lists of one field, or for one flag, and stand one behind the other.
        cdef uint32_t i = 0, n
        cdef const Guard* guard
        cdef const Guard* other
        cdef Rule* rule
        while i < self.c.n_enforced:
            rule, n = &self.c.enforced[i], 1
            guard = &self.c.program.guards[rule.start]
            rule.common = guard[0]
            rule.common.whole = 0
            while guard.kind in (GUARD_FLAG, GUARD_LISTS) and not guard.alternative and i + n < self.c.n_enforced:
                other = &self.c.program.guards[self.c.enforced[i + n].start]
                if other.kind != guard.kind or other.index != guard.index or other.alternative:
                    break
                rule.common.lists |= other.lists
                n += 1
            rule.alike = <uint16_t> n if n > 1 else 0
            i += n
        return 0

    cdef int _counters(self, spec, placed) except -1:
        cdef uint32_t g, n = 0
        cdef Group* group
        cdef Counter* counter
        if len(placed.visits) > MAX_GROUPS:
            raise ValueError(f"a call's counters live in {len(placed.visits)} places, and {MAX_GROUPS} are the most: "
                             "use fewer kinds of entity; or end the counters of before, by a start that finds no state "
                             "(--state none), which joins the tables that reloads have split")
        self.c.groups = <Group*> self.array(sizeof(Group) * len(placed.visits))
        self.c.counters = <Counter*> self.array(sizeof(Counter) * sum([len(visit.entries) for visit in placed.visits]))
        self.c.n_groups = <uint32_t> len(placed.visits)
        self.c.read_in = <uint8_t*> self.array(max(len(spec.counters), 1))
        self.residents = placed.residents
        for g, visit in enumerate(placed.visits):
            group = &self.c.groups[g]
            group.table = (<EntityTable> visit.resident.table).table
            group.lines = lines_of_key(group.table)
            group.a, group.b = key_parts(visit.key)
            group.first = n
            for entry in visit.entries:
                described, counter = spec.counters[entry.counter], &self.c.counters[n]
                group.lines |= lines_of_column(group.table, entry.column)
                counter.index = entry.counter
                counter.touch.column, counter.touch.counter, counter.touch.act = entry.column, entry.counter, ACT_READ
                counter.feeds, counter.other = entry.feeds, NO_GROUP if entry.other is None else entry.other
                counter.element = NO_FIELD if described.element is None else described.element
                if described.where is not None:
                    counter.where_start, counter.where_end = described.where.start, described.where.end
                if counter.other == NO_GROUP or not counter.feeds:
                    self.c.read_in[counter.index] = <uint8_t> g
                n += 1
            group.last = n
        self.c.n_counters = n
        return 0

    cdef int _feeds(self, spec, placed) except -1:
        cdef uint32_t i, n = 0
        cdef Feed* feed
        cdef Fed* fed
        cdef Paired* paired
        bits, pairings = list(visits.kept(spec).wheres), list(placed.pairings)
        if len(pairings) > MAX_PAIRINGS:
            raise ValueError(f"the policy compares calls in {len(pairings)} ways, and {MAX_PAIRINGS} are the most")
        self.c.pairings = <Paired*> self.array(sizeof(Paired) * len(pairings))
        self.c.n_pairings = <uint32_t> len(pairings)
        self.c.feeds = <Feed*> self.array(sizeof(Feed) * len(placed.feeds))
        self.c.fed = <Fed*> self.array(sizeof(Fed) * sum([len(one.entries) for one in placed.feeds]))
        self.c.n_feeds = <uint32_t> len(placed.feeds)
        for i, one in enumerate(placed.feeds):
            feed = &self.c.feeds[i]
            feed.table = (<EntityTable> one.resident.table).table
            feed.lines = lines_of_key(feed.table)
            feed.a, feed.b = key_parts(one.key)
            feed.happening, feed.first = one.happening, n
            for index, column in one.entries:
                described, fed = spec.counters[index], &self.c.fed[n]
                feed.lines |= lines_of_column(feed.table, column)
                fed.column, fed.act = column, ACT_END if described.measure == "active" else ACT_COUNT
                fed.element.field = NO_FIELD if described.element is None else described.element
                fed.answered = ANY_CALL if described.answered is None else described.answered
                fed.under_ms = described.under_ms or 0
                if described.where is not None:
                    fed.where_start, fed.where_end = described.where.start, described.where.end
                asked = visits.asked_at_setup(spec, described) if visits.fed_by_reports(described) else None
                fed.where_bit = NO_BIT if asked is None else bits.index(asked)
                fed.pairing = NO_PAIRING
                if described.place is not None:
                    fed.pairing = pairings.index(meanings.encoded(meanings.pairing(spec, described)))
                    paired = &self.c.pairings[fed.pairing]
                    paired.place, paired.who = key_parts((described.place, *described.per))
                    resident = placed.pairings[pairings[fed.pairing]]
                    paired.pairs = (<EntityTable> resident.table).table
                    paired.pairing = (<PairingTable> resident.pairing).pairing
                fed.partner = described.measure == "partner"
                n += 1
            feed.last = n
        for i in range(<uint32_t> N_HAPPENINGS + 1):
            self.c.feeds_of[i] = <uint32_t> sum([one.happening < i for one in placed.feeds])
        return 0

    cdef int _kept(self, kept) except -1:
        cdef uint32_t i, k
        self.kept = kept
        self.c.wheres = <Where*> self.array(sizeof(Where) * len(kept.wheres))
        self.c.n_wheres = <uint32_t> len(kept.wheres)
        for i, span in enumerate(kept.wheres.values()):
            self.c.wheres[i].start, self.c.wheres[i].end = span.start, span.end
        self.c.parts = <Part*> self.array(sizeof(Part) * len(kept.parts))
        self.c.n_parts = <uint32_t> len(kept.parts)
        for i, part in enumerate(kept.parts):
            self.c.parts[i].field, self.c.parts[i].prefix = part.field, part.prefix
        for i in range(self.c.n_feeds):
            place_part(&self.c, &self.c.feeds[i].a)
            place_part(&self.c, &self.c.feeds[i].b)
            for k in range(self.c.feeds[i].first, self.c.feeds[i].last):
                place_part(&self.c, &self.c.fed[k].element)
        for i in range(self.c.n_pairings):
            place_part(&self.c, &self.c.pairings[i].place)
            place_part(&self.c, &self.c.pairings[i].who)
        return 0

    cdef int _meanings(self, spec) except -1:
        cdef uint64_t* identities = <uint64_t*> self.array(8 * len(spec.counters))
        for i, meaning in enumerate(meanings.meanings(spec)):
            identities[i] = siphash(&self.c.intake.secret, meaning, len(meaning))
        self.c.meanings.counter, self.c.meanings.counters = identities, <uint32_t> len(spec.counters)
        for i, tag in enumerate(spec.tags):
            name = tag.encode()
            self.c.meanings.tag[i] = siphash(&self.c.intake.secret, name, len(name)) | 1
        return 0

    cdef tuple _names(self, NumberingPlan plan):
        cdef Text* texts
        cdef uint32_t i
        regions = tuple(name.encode() for name in plan.regions)
        types = tuple(name.encode() for name in plan.type_names)
        texts = <Text*> self.array(sizeof(Text) * len(regions))
        for i in range(<uint32_t> len(regions)):
            texts[i] = borrowed(regions[i])
        self.c.regions = texts
        texts = <Text*> self.array(sizeof(Text) * len(types))
        for i in range(<uint32_t> len(types)):
            texts[i] = borrowed(types[i])
        self.c.types = texts
        return regions, types

    def counted(self):
        """What the workers counted with this snapshot: a mapping of plain numbers and tuples."""
        cdef int i
        cdef WorkerStats total = WorkerStats(len(self.spec.rules))
        for i in range(MAX_WORKERS):
            if self.stats[i] is not NULL:
                stats_sum(total.stats, self.stats[i], total.stats.rules)
        return total.totals

    def __dealloc__(self):
        cdef int i
        for i in range(MAX_WORKERS):
            if self.stats[i] is not NULL:
                stats_free(self.stats[i])
        for address, size in self.owned or ():
            release(<void*> <size_t> address, size)
