"""The world's numbering plan as one minimal automaton: E.164 digits -> (valid, region, type).

Built bottom-up from libphonenumber's metadata: per region a language for each type, combined into one automaton
whose nodes carry the type; per country code the automata of its regions, combined into nodes that carry the
answer; above them the country codes. It says what `region_code_for_number`, `is_valid_number` and
`number_type` of phonenumbers say.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata
from phonenumbers.phonemetadata import PhoneNumberDesc

from interceptor.numbering.language import ANY, DEAD, Languages
from interceptor.numbering.pattern import parse_pattern

MAX_DIGITS = 15
NO_REGION = 0

# NumberType of plan.pxd
FIXED_LINE, MOBILE, FIXED_LINE_OR_MOBILE = 1, 2, 3
# In the order libphonenumber asks
SPECIAL_TYPES = (
    ("premium_rate", 5),
    ("toll_free", 4),
    ("shared_cost", 6),
    ("voip", 7),
    ("personal_number", 8),
    ("pager", 9),
    ("uan", 10),
    ("voicemail", 11),
)

Answer: TypeAlias = tuple[int, int, int]  # valid, region, type


def length_mask(lengths: tuple[int, ...] | None) -> int:
    """Bit n is set when n is one of `lengths`."""
    return sum(1 << n for n in lengths or () if n > 0)


def described(languages: Languages, desc: PhoneNumberDesc | None, *, lengths: bool = True) -> int:
    """The national numbers a description fits; `lengths`: of its possible lengths only."""
    if desc is None or not desc.national_number_pattern:
        return DEAD
    root = languages.of(parse_pattern(desc.national_number_pattern))
    if lengths and desc.possible_length:
        root = languages.restrict(root, length_mask(desc.possible_length))
    return root


V = TypeVar("V", bound=Hashable)


class Answers(Generic[V]):
    """Interned automaton nodes that carry a value; node `sink(v)` answers v whatever follows."""

    def __init__(self) -> None:
        self.values: list[V] = []
        self.children: list[tuple[int, ...]] = []
        self._ids: dict[tuple[V, tuple[int, ...]], int] = {}
        self._sinks: dict[V, int] = {}

    def sink(self, value: V) -> int:
        found = self._sinks.get(value)
        if found is None:
            found = self._sinks[value] = len(self.values)
            self.values.append(value)
            self.children.append((found,) * 10)
        return found

    def node(self, value: V, children: tuple[int, ...]) -> int:
        if children == (self._sinks.get(value),) * 10:
            return children[0]
        key = (value, children)
        found = self._ids.get(key)
        if found is None:
            found = self._ids[key] = len(self.values)
            self.values.append(value)
            self.children.append(children)
        return found


class _TypesOfRegion:
    """National digits of one region -> libphonenumber's type, 0 where the number is not valid there."""

    def __init__(self, languages: Languages, types: Answers[int]) -> None:
        self.languages = languages
        self.types = types
        self._memo: dict[tuple[int, ...], int] = {}

    def build(self, metadata: PhoneMetadata) -> int:
        of = self.languages
        roots = [described(of, metadata.general_desc), described(of, metadata.fixed_line)]
        # Where both patterns are one, fixed line alone decides; a mobile language equal to it says the same.
        same = metadata.same_mobile_and_fixed_line_pattern
        roots.append(roots[1] if same else described(of, metadata.mobile))
        roots += [described(of, getattr(metadata, name)) for name, _ in SPECIAL_TYPES]
        return self._combine(tuple(roots))

    def _combine(self, roots: tuple[int, ...]) -> int:
        if roots[0] == DEAD or not any(roots[1:]):
            return self.types.sink(0)
        found = self._memo.get(roots)
        if found is None:
            children = zip(*(self.languages.children[r] for r in roots), strict=True)
            found = self.types.node(self._type(roots), tuple(map(self._combine, children)))
            self._memo[roots] = found
        return found

    def _type(self, roots: tuple[int, ...]) -> int:
        general, fixed, mobile, *special = (self.languages.accepts[r] for r in roots)
        if not general:
            return 0
        for fits, (_, number_type) in zip(special, SPECIAL_TYPES, strict=True):
            if fits:
                return number_type
        if fixed:
            return FIXED_LINE_OR_MOBILE if mobile else FIXED_LINE
        return MOBILE if mobile else 0


# One region of a country code at a point of the walk: (index, does it claim the number, its types).
# `claim` is a language of leading digits, or None when a valid type claims.
Candidate: TypeAlias = tuple[int, int | None, int]


class _RegionsOfCode:
    """National digits behind one country code -> the answer of the first region that claims the number."""

    def __init__(self, languages: Languages, types: Answers[int], answers: Answers[Answer]) -> None:
        self.languages = languages
        self.types = types
        self.answers = answers
        self.dead = types.sink(0)
        self._memo: dict[tuple[Candidate, ...], int] = {}

    def build(self, candidates: tuple[Candidate, ...]) -> int:
        candidates = self._alive(candidates)
        if not candidates:
            return self.answers.sink((0, NO_REGION, 0))
        first = candidates[0]
        if first[1] == ANY and first[2] == self.dead:
            return self.answers.sink((0, first[0], 0))
        found = self._memo.get(candidates)
        if found is None:
            children = tuple(self.build(self._step(candidates, d)) for d in range(10))
            found = self._memo[candidates] = self.answers.node(self._answer(candidates), children)
        return found

    def _step(self, candidates: tuple[Candidate, ...], digit: int) -> tuple[Candidate, ...]:
        return tuple(
            (
                i,
                None if claim is None else self.languages.children[claim][digit],
                self.types.children[t][digit],
            )
            for i, claim, t in candidates
        )

    def _alive(self, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        kept: list[Candidate] = []
        for candidate in candidates:
            _, claim, types = candidate
            if claim == DEAD or (claim is None and types == self.dead):
                continue
            kept.append(candidate)
            if claim == ANY:  # it claims whatever follows: nobody behind it is asked
                break
        return tuple(kept)

    def _answer(self, candidates: tuple[Candidate, ...]) -> Answer:
        for region, claim, types in candidates:
            number_type = self.types.values[types]
            if self.languages.accepts[claim] if claim is not None else number_type:
                return int(number_type != 0), region, number_type
        return 0, NO_REGION, 0


@dataclass(frozen=True)
class WorldAutomaton:
    """Tables of the walker in plan.pyx."""

    transitions: npt.NDArray[np.uint16]  # branching states x 10
    accept: npt.NDArray[np.uint16]  # the answer of each branching state
    tails: npt.NDArray[np.uint16]  # rows of answers for the states from len(accept) on
    jump: npt.NDArray[np.uint16]  # the state behind each three first digits
    answers: npt.NDArray[np.uint32]  # valid | type << 8 | region << 16


def build_world(languages: Languages, regions: dict[str, int]) -> WorldAutomaton:
    """The automaton of every country code; `regions` gives each region's index."""
    types: Answers[int] = Answers()
    answers: Answers[Answer] = Answers()
    of_region = _TypesOfRegion(languages, types)
    of_code = _RegionsOfCode(languages, types, answers)
    codes: dict[str, int] = {}
    for code, names in COUNTRY_CODE_TO_REGION_CODE.items():
        candidates: list[Candidate] = []
        for name in names:
            metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, name)
            if metadata is None:
                continue
            claim: int | None = None
            if len(names) == 1:  # the region is known from the country code alone
                claim = ANY
            elif metadata.leading_digits:
                claim = languages.of(parse_pattern(metadata.leading_digits), ANY)
            candidates.append((regions[name], claim, of_region.build(metadata)))
        codes[str(code)] = of_code.build(tuple(candidates))
    return _tables(answers, _code_trie(answers, codes, ""))


def _code_trie(answers: Answers[Answer], codes: dict[str, int], prefix: str) -> int:
    nowhere = answers.sink((0, NO_REGION, 0))
    below = {code: node for code, node in codes.items() if code.startswith(prefix)}
    if not below:
        return nowhere
    if prefix in below:
        return below[prefix]
    children = tuple(_code_trie(answers, below, prefix + str(d)) for d in range(10))
    return answers.node((0, NO_REGION, 0), children)


def _tables(answers: Answers[Answer], root: int) -> WorldAutomaton:
    order: list[int] = []
    seen: set[int] = set()
    level = [root]
    while level:
        fresh = [n for n in dict.fromkeys(level) if n not in seen]
        seen.update(fresh)
        order += fresh
        level = [c for n in fresh for c in answers.children[n]]

    # A uniform state's answer depends on how many digits follow, not on which: sinks, and chains into them.
    uniform: dict[int, bool] = {}

    def is_uniform(node: int) -> bool:
        found = uniform.get(node)
        if found is None:
            uniform[node] = True  # a sink leads to itself
            first = answers.children[node][0]
            found = uniform[node] = answers.children[node] == (first,) * 10 and is_uniform(first)
        return found

    branching = [n for n in order if not is_uniform(n)]
    uniforms = [n for n in order if is_uniform(n)]
    number = {node: i for i, node in enumerate(branching)}
    values = sorted({answers.values[n] for n in order})
    value_id = {value: i for i, value in enumerate(values)}

    def accept(node: int) -> int:
        return value_id[answers.values[node]]

    # A chain of uniform states is a row of answers, a state a place in it: the answer after k more digits is
    # k places on. Every row ends in as many answers as a number can have digits.
    followers = {answers.children[n][0] for n in uniforms if answers.children[n][0] != n}
    tails: list[int] = []
    for head in [n for n in uniforms if n not in followers] + uniforms:
        if head in number:
            continue
        node = head
        while node not in number:
            number[node] = len(branching) + len(tails)
            tails.append(accept(node))
            node = answers.children[node][0]
        for _ in range(MAX_DIGITS + 1):
            tails.append(accept(node))
            node = answers.children[node][0]
    if len(branching) + len(tails) > 0xFFFF:
        raise OverflowError(f"numbering plan: {len(branching) + len(tails)} states do not fit in 16 bits")
    jump = []
    for first in range(1000):
        node = root
        for digit in f"{first:03d}":
            node = answers.children[node][int(digit)]
        jump.append(number[node])
    packed = [v | t << 8 | r << 16 for v, r, t in values]
    return WorldAutomaton(
        transitions=np.array([[number[c] for c in answers.children[n]] for n in branching], np.uint16),
        accept=np.array([accept(n) for n in branching], np.uint16),
        tails=np.array(tails, np.uint16),
        jump=np.array(jump, np.uint16),
        answers=np.array(packed, np.uint32),
    )
