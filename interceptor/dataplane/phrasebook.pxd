# What a policy means on the wire: the tags it reads, and, by rule, the ready-made bytes of the answer. It travels with
# the snapshot (`Companion`); the last few policies are in it, since a repeated call_id gets the first answer again.
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from interceptor.engine.snapshot cimport Companion
from interceptor.engine.types cimport Text

cdef enum:
    PHRASES_KEPT = 8            # policies
    MAX_REPLY = 8192            # bytes: no policy's answers are longer, with all of its 64 shadow rules matching

cdef struct Answers:            # of one policy. A text here is bytes of a DecideResponse
    uint32_t revision
    Text* rule                  # by rule: verdict, rule, reason, block_class, sip_code, sip_reason
    uint32_t n_rules
    Text otherwise              # no rule decided
    Text* shadow                # by shadow bit: a shadow_rules field, tag and length included
    uint32_t n_shadow

cdef struct Phrases:
    Text[8] tags                # names, in the policy's order
    uint32_t n_tags
    Text emergency
    Answers[8] answers          # the newest first
    uint32_t n_answers
    uint32_t longest            # bytes a DecideStreamResponse may have

cdef class Phrasebook(Companion):
    cdef Phrases c
    cdef object keep
