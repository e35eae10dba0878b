# Makes the ready-made bytes of a policy's answers. Holds the GIL; nothing here runs for a call.
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from interceptor.engine.types cimport MAX_SHADOW, MAX_TAGS

from interceptor.pb.v1 import interception_pb2 as pb

cdef enum:
    FRAME = 2 + 2 + 18 + 6      # of a DecideResponse: verdict, block_class, decision_id, policy_revision
    WRAPPER = 11 + 4            # of a DecideStreamResponse: id, and the decision's tag and length


cdef class Wording:
    def __dealloc__(self):
        free(<void*> self.c.rule)
        free(<void*> self.c.shadow)

    cdef Text field(self, bytes data):
        cdef Text text
        text.data, text.length = data, <uint32_t> len(data)
        self.keep.append(data)
        return text

    cdef Phrase phrase(self, outcome) except *:
        cdef Phrase made
        rule, reason, sip_code, sip_reason = outcome
        made.grounds = self.field(pb.DecideResponse(rule=rule, reason=reason).SerializeToString())
        made.refusal = self.field(pb.DecideResponse(sip_code=sip_code, sip_reason=sip_reason).SerializeToString())
        self.longest = max(self.longest, made.grounds.length + made.refusal.length)
        return made

    cdef int load(self, int revision, rules, otherwise, shadow) except -1:
        cdef uint32_t i
        cdef Phrase* rule = <Phrase*> calloc(len(rules) + 1, sizeof(Phrase))
        cdef Text* bit = <Text*> calloc(len(shadow) + 1, sizeof(Text))
        self.c.rule, self.c.shadow, self.c.revision = rule, bit, revision
        if rule is NULL or bit is NULL:
            raise MemoryError("no memory for the answers of a policy")
        self.keep = []
        for i, outcome in enumerate(rules):
            rule[i] = self.phrase(outcome)
        self.c.otherwise = self.phrase(otherwise)
        for i, name in enumerate(shadow):
            bit[i] = self.field(pb.DecideResponse(shadow_rules=[name]).SerializeToString())
            self.longest += bit[i].length
        self.c.n_rules, self.c.n_shadow = <uint32_t> len(rules), <uint32_t> len(shadow)
        return 0


cdef class Phrasebook(Companion):
    def __init__(self, int revision, tags, rules, otherwise, emergency, shadow, Phrasebook previous=None):
        cdef Wording wording = Wording(), special = Wording()
        cdef uint32_t i
        cdef Wording each
        cdef bytes name
        if len(tags) > MAX_TAGS or len(shadow) > MAX_SHADOW:
            raise ValueError(f"a policy has at most {MAX_TAGS} tags and {MAX_SHADOW} shadow rules; this one has "
                             f"{len(tags)} and {len(shadow)}")
        wording.load(revision, rules, otherwise, shadow)
        special.load(0, (), emergency, ())
        kept = [wording]
        if previous is not None:
            kept += [each for each in previous.keep[0] if (<Wording> each).c.revision != wording.c.revision]
        names = tuple([tag.encode() for tag in tags])
        self.keep = (tuple(kept[:PHRASES_KEPT]), names, special)

        memset(&self.c, 0, sizeof(self.c))
        self.c.emergency, self.c.longest = special.c.otherwise, special.longest
        for i, name in enumerate(names):
            self.c.tags[i].data, self.c.tags[i].length = name, <uint32_t> len(name)
        self.c.n_tags = <uint32_t> len(names)
        for i, each in enumerate(self.keep[0]):
            self.c.answers[i] = each.c
            self.c.longest = max(self.c.longest, each.longest)
        self.c.n_answers = <uint32_t> len(self.keep[0])
        self.c.longest += FRAME + WRAPPER
        if self.c.longest > MAX_REPLY:
            raise ValueError(f"an answer of this policy may have {self.c.longest} bytes, at most {MAX_REPLY} are sent: "
                             "shorten the ids of its shadow rules, its reasons or its sip_reason texts")
        self.address = &self.c

    @property
    def longest(self):
        return self.c.longest

    @property
    def revisions(self):
        return [self.c.answers[i].revision for i in range(self.c.n_answers)]
