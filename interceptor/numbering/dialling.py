"""How each region dials: international and national prefixes, short and emergency numbers.

Everything a kernel has to match is a language in one shared automaton; a region is a row of start states.
"""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from interceptor.numbering.automaton import described, length_mask
from interceptor.numbering.language import ANY, DEAD, Languages
from interceptor.numbering.pattern import (
    End,
    Group,
    Pattern,
    Sequence,
    fixed_length,
    has_end,
    parse_pattern,
    paths,
)

SHORTEST = 7  # digits of a number in national form, unless a region's own numbers are shorter

# What a dialler may rely on beyond libphonenumber's data.
EMERGENCY_EVERYWHERE = ("112", "911")
EMERGENCY_MORE = {"CN": ("110", "119", "120", "122", "12110")}

REGION = np.dtype(
    [
        ("name", "S4"),
        ("code", "S4"),  # country code, digits
        ("main", np.uint16),  # the region that stands for the country code
        ("general", np.uint16),  # start states
        ("idd", np.uint16),
        ("short", np.uint16),
        ("emergency", np.uint16),
        ("first_rule", np.uint16),
        ("rules", np.uint8),
        ("shortest", np.uint8),
        ("pad", np.uint16),
        ("possible", np.uint32),  # bit n: a national number may have n digits
        ("local", np.uint32),  # bit n: only a number dialled inside its area has n digits
    ]
)

# One way a national prefix may stand before a number. Rules of a region are tried in order.
RULE = np.dtype(
    [
        ("start", np.uint16),  # the language of the whole prefix
        ("whole", np.uint8),  # it has to match to the end of the number
        (
            "keep",
            np.uint8,
        ),  # digits from `before` to `after` before the end of the match stay, behind `insert`
        ("before", np.uint8),
        ("after", np.uint8),
        ("insert", "S10"),
    ]
)

_TRANSFORM = re.compile(r"(\d*)\\(\d)")


@dataclass(frozen=True)
class DialTables:
    """Tables of plan.pyx: rows by region index, and the automaton their start states are in."""

    regions: npt.NDArray[np.void]
    rules: npt.NDArray[np.void]
    transitions: npt.NDArray[np.uint16]  # states x 10
    accept: npt.NDArray[np.uint8]
    main_of_code: npt.NDArray[np.uint16]  # region index by country code


@dataclass(frozen=True)
class _Rule:
    start: int
    whole: bool = False
    keep: bool = False
    before: int = 0
    after: int = 0
    insert: bytes = b""


def build_dialling(languages: Languages, names: tuple[str, ...]) -> DialTables:
    index = {name: i for i, name in enumerate(names)}
    rows = np.zeros(len(names), REGION)
    rules: list[_Rule] = []
    for name, row in zip(names, rows, strict=True):
        row["name"] = name.encode()
        row["emergency"] = _emergency(languages, name)
        row["short"] = _short(languages, name)
        row["shortest"] = SHORTEST
        metadata = PhoneMetadata.metadata_for_region(name, None)
        if metadata is None:
            continue
        general, code = metadata.general_desc, metadata.country_code
        if general is None or code is None:
            continue
        row["code"] = str(code).encode()
        row["main"] = index[COUNTRY_CODE_TO_REGION_CODE[code][0]]
        row["general"] = described(languages, general, lengths=False)
        row["possible"] = length_mask(general.possible_length)
        row["local"] = length_mask(general.possible_length_local_only)
        row["shortest"] = _shortest(metadata)
        if metadata.international_prefix:
            row["idd"] = languages.of(parse_pattern(metadata.international_prefix))
        own = _prefix_rules(languages, metadata)
        row["first_rule"], row["rules"] = len(rules), len(own)
        rules += own
    return _renumbered(languages, names, rows, rules)


def _shortest(metadata: PhoneMetadata) -> int:
    """Below this a number in national form is a short one: 7, or fewer where whole numbers are shorter."""
    examples = [d.example_number for d in (metadata.fixed_line, metadata.mobile) if d and d.example_number]
    return min([SHORTEST, *map(len, examples)])


def _emergency(languages: Languages, region: str) -> int:
    root = languages.words(EMERGENCY_EVERYWHERE + EMERGENCY_MORE.get(region, ()))
    metadata = PhoneMetadata.short_metadata_for_region(region, None)
    if metadata is None:
        return root
    return languages.union(root, described(languages, metadata.emergency, lengths=False))


def _short(languages: Languages, region: str) -> int:
    metadata = PhoneMetadata.short_metadata_for_region(region, None)
    if metadata is None:
        return DEAD
    general = described(languages, metadata.general_desc)
    return languages.intersection(general, described(languages, metadata.short_code))


def _prefix_rules(languages: Languages, metadata: PhoneMetadata) -> list[_Rule]:
    text = metadata.national_prefix_for_parsing
    if not text:
        return []
    pattern = parse_pattern(text)
    if not metadata.national_prefix_transform_rule:
        return [_Rule(languages.of(pattern))]
    transform = _TRANSFORM.fullmatch(metadata.national_prefix_transform_rule)
    if transform is None:
        raise ValueError(
            f"numbering plan: cannot read the transform rule {metadata.national_prefix_transform_rule!r}"
            f" of {metadata.id}"
        )
    insert, group = transform.group(1).encode(), int(transform.group(2))
    rules = []
    for path in paths(pattern, group):
        start = languages.of(Sequence(path))
        whole = has_end(Sequence(path))
        places = [i for i, part in enumerate(path) if isinstance(part, Group) and part.index == group]
        if not places:
            rules.append(_Rule(start, whole))
            continue
        before, after = _length(path[: places[0]]), _length(path[places[0] + 1 :])
        rules.append(_Rule(start, whole, True, before, after, insert))
    return rules


def _length(parts: tuple[Pattern, ...]) -> int:
    length = fixed_length(Sequence(tuple(p for p in parts if not isinstance(p, End))))
    assert length is not None, "paths() leaves only parts of one length around the group"
    return length


def _renumbered(
    languages: Languages, names: tuple[str, ...], rows: npt.NDArray[np.void], rules: list[_Rule]
) -> DialTables:
    starts = ("general", "idd", "short", "emergency")
    roots = [int(row[s]) for row in rows for s in starts] + [rule.start for rule in rules]
    order = languages.reachable(roots)
    if len(order) > 0xFFFF or ANY in order:
        raise OverflowError(f"numbering plan: {len(order)} dialling states do not fit")
    number = {node: i for i, node in enumerate(order)}
    for row in rows:
        for start in starts:
            row[start] = number[int(row[start])]
    table = np.zeros(len(rules), RULE)
    for entry, rule in zip(table, rules, strict=True):
        entry["start"] = number[rule.start]
        entry["whole"], entry["keep"] = rule.whole, rule.keep
        entry["before"], entry["after"], entry["insert"] = rule.before, rule.after, rule.insert
    main_of_code = np.zeros(1000, np.uint16)
    index = {name: i for i, name in enumerate(names)}
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        main_of_code[code] = index[regions[0]]
    return DialTables(
        regions=rows,
        rules=table,
        transitions=np.array([[number[c] for c in languages.children[n]] for n in order], np.uint16),
        accept=np.array([languages.accepts[n] for n in order], np.uint8),
        main_of_code=main_of_code,
    )
