"""Writes what the client knows of emergency numbers: `python -m interceptor.numbering.emergency`.

For a switch that loads the client loads neither phonenumbers nor the engine; a test holds all to the same numbers.
"""

import re
import textwrap
from collections import defaultdict
from functools import cache
from pathlib import Path

from phonenumbers import PhoneMetadata

import interceptor
from interceptor.numbering.dialling import EMERGENCY_EVERYWHERE, EMERGENCY_MORE
from interceptor.numbering.regions import region_names

TABLE = Path(interceptor.__file__).parent / "client/emergency_numbers.py"
WIDTH = 110
HEAD = '''"""Emergency numbers by region. Written by `python -m interceptor.numbering.emergency`; never edited."""

EVERYWHERE = "{everywhere}"
#: (numbers as dialled, the regions where they reach help besides those)
GROUPS = (
'''


@cache
def numbers_of(pattern: str, lengths: tuple[int, ...]) -> frozenset[str]:
    """Every string of digits that a pattern describes."""
    described = re.compile(pattern)
    return frozenset(
        digits
        for length in lengths
        for digits in (f"{number:0{length}d}" for number in range(10**length))
        if described.fullmatch(digits)
    )


def emergency_numbers(region: str) -> frozenset[str]:
    """What reaches help in a region, besides what does everywhere."""
    metadata = PhoneMetadata.short_metadata_for_region(region, None)
    said = metadata and metadata.emergency
    known: frozenset[str] = frozenset()
    if said and said.national_number_pattern:
        known = numbers_of(said.national_number_pattern, said.possible_length)
    return known.union(EMERGENCY_MORE.get(region, ())).difference(EMERGENCY_EVERYWHERE)


def table() -> str:
    """The module's source."""
    regions = defaultdict(list)
    for region in region_names():
        regions[" ".join(sorted(emergency_numbers(region)))].append(region)
    rows = "".join(row(numbers, " ".join(names)) for numbers, names in sorted(regions.items()))
    return HEAD.format(everywhere=" ".join(EMERGENCY_EVERYWHERE)) + rows + ")\n"


def row(numbers: str, regions: str) -> str:
    """One group, laid out as everything here is."""
    line = f'    ("{numbers}", "{regions}"),\n'
    if len(line) <= WIDTH:
        return line
    return f"    (\n{literals(numbers)}{literals(regions)}    ),\n"


def literals(words: str) -> str:
    """A text as a member of a tuple, on as many lines as it takes."""
    parts = textwrap.wrap(words, WIDTH - 24)
    if len(parts) < 2:
        return f'        "{words}",\n'
    lines = "".join(f'            "{part}{" " * (part is not parts[-1])}"\n' for part in parts)
    return f"        (\n{lines}        ),\n"


if __name__ == "__main__":
    TABLE.write_text(table())
