# What a policy means on the wire: the tags it reads, and, by rule, the ready-made bytes of the answer. It travels with
# the snapshot (`Companion`); the last few policies are in it, since a repeated call_id gets the first answer again.
from libc.stdint cimport uint32_t

from interceptor.engine.snapshot cimport Companion
from interceptor.engine.types cimport Text

cdef enum:
    PHRASES_KEPT = 8            # policies
    MAX_REPLY = 8192            # bytes: no policy's answers are longer, with all of its 64 shadow rules matching

cdef struct Phrase:             # what a rule adds to a decision; bytes of a DecideResponse
    Text grounds                # its fields rule and reason
    Text refusal                # sip_code and sip_reason

cdef struct Answers:            # of one policy
    uint32_t revision
    const Phrase* rule          # by rule
    uint32_t n_rules
    Phrase otherwise            # no rule decided
    const Text* shadow          # by shadow bit: a shadow_rules field
    uint32_t n_shadow

cdef struct Phrases:
    Text[8] tags                # names, in the policy's order
    uint32_t n_tags
    Phrase emergency
    Answers[8] answers          # the newest first
    uint32_t n_answers
    uint32_t longest            # bytes a DecideStreamResponse may have

cdef class Wording:             # owns the Answers of one policy
    cdef Answers c
    cdef uint32_t longest       # bytes a DecideResponse of this policy may have
    cdef list keep

    cdef Text field(self, bytes data)
    cdef Phrase phrase(self, outcome) except *
    cdef int load(self, int revision, rules, otherwise, shadow) except -1

cdef class Phrasebook(Companion):
    cdef Phrases c
    cdef tuple keep             # Wordings, the newest first; names of tags; what emergency calls are told
