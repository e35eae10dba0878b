"""Where the plan's tables come from: libphonenumber's patterns, made minimal, kept in a checked file."""

import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from phonenumbers import SUPPORTED_REGIONS, PhoneMetadata

from interceptor.engine.plan import NumberingPlan
from interceptor.numbering import cache, load_plan
from interceptor.numbering.cache import Tables, build_tables, default_folder, read_tables, write_tables
from interceptor.numbering.language import ANY, Languages
from interceptor.numbering.pattern import PatternError, parse_pattern


@pytest.fixture(scope="module")
def tables() -> Tables:
    return build_tables()


def same(a: Tables, b: Tables) -> bool:
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and np.array_equal(a[k], b[k]) for k in a)


def drawn_from(rng: random.Random, pattern: str) -> str:
    """Digits that follow a pattern roughly: most of its own digits, some others."""
    digits = re.findall(r"\d", re.sub(r"\\d|\{[\d,]+\}", "", pattern)) or ["0"]
    return "".join(
        rng.choice(digits if rng.random() < 0.8 else list("0123456789")) for _ in range(rng.randrange(1, 14))
    )


def test_a_language_holds_what_its_pattern_matches() -> None:
    rng = random.Random(7)
    languages = Languages()
    matched = 0
    for region in sorted(SUPPORTED_REGIONS):
        metadata = PhoneMetadata.metadata_for_region(region)
        assert metadata is not None
        for desc in (metadata.general_desc, metadata.fixed_line, metadata.mobile, metadata.toll_free):
            if desc is None or not desc.national_number_pattern:
                continue
            root = languages.of(parse_pattern(desc.national_number_pattern))
            expression = re.compile(desc.national_number_pattern)
            for digits in [desc.example_number or "1"] + [
                drawn_from(rng, expression.pattern) for _ in range(20)
            ]:
                expected = expression.fullmatch(digits) is not None
                assert languages.has(root, digits) == expected, (expression.pattern, digits)
                matched += expected
    assert matched > 1000


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("12?3", {"13", "123"}),
        ("1{2,3}", {"11", "111"}),
        ("(?:1|22){2}", {"11", "122", "221", "2222"}),
        ("[1-3]5|", {"15", "25", "35", ""}),
        ("1(?:2(?:3)?)?", {"1", "12", "123"}),
    ],
)
def test_the_syntax_of_patterns(pattern: str, words: set[str]) -> None:
    languages = Languages()
    root = languages.of(parse_pattern(pattern))
    candidates = [""] + [f"{i:0{n}d}" for n in (1, 2, 3, 4) for i in range(10**n)]
    assert {c for c in candidates if languages.has(root, c)} == words


@pytest.mark.parametrize(
    "pattern", ["1*", "1+", "1{2,}", "^1", "a", "[^1]", "(?=1)", "1{2", "(1", "1)", "?1", "\\w", "."]
)
def test_other_syntax_is_an_error_that_names_the_pattern(pattern: str) -> None:
    with pytest.raises(PatternError, match=re.escape(repr(pattern))):
        parse_pattern(pattern)


def test_a_prefix_pattern_claims_whatever_follows() -> None:
    languages = Languages()
    root = languages.of(parse_pattern("74576|(?:16|7[56])24"), ANY)
    assert languages.has(root, "1624") and languages.has(root, "762412345")
    assert not languages.has(root, "162") and not languages.has(root, "1625")


def test_no_two_states_of_the_automaton_say_the_same(tables: Tables) -> None:
    """Moore's refinement finds nothing to merge."""
    states = len(tables["accept"])
    places = np.unique(tables["transitions"][tables["transitions"] >= states]) - states
    rows = tables["tails"][places[:, None].astype(int) + np.arange(16)]
    kinds = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    of_place = np.zeros(len(tables["tails"]), int)
    of_place[places] = kinds
    classes = tables["accept"].astype(int)
    count = 0
    while True:
        known = np.concatenate([classes + len(places), of_place])
        signature = np.column_stack([classes, known[tables["transitions"]]])
        classes = np.unique(signature, axis=0, return_inverse=True)[1].reshape(-1)
        if classes.max() == count:
            break
        count = int(classes.max())
    assert count + 1 == states


def test_the_second_start_builds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "not" / "there" / "yet"
    first = load_plan(folder)
    assert [path.suffix for path in folder.iterdir()] == [".plan"]

    def forbidden() -> Tables:
        raise AssertionError("the file was not used")

    monkeypatch.setattr(cache, "build_tables", forbidden)
    assert load_plan(folder).regions == first.regions


def test_the_second_start_does_not_import_phonenumbers(tmp_path: Path) -> None:
    load_plan(tmp_path)
    program = (
        "import sys; from pathlib import Path; from interceptor.numbering import load_plan;"
        "load_plan(Path(sys.argv[1])); print('phonenumbers' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-P", "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert said.stdout == "False\n"


def test_a_file_that_is_not_exactly_right_is_not_read(tmp_path: Path, tables: Tables) -> None:
    path = tmp_path / "file.plan"
    write_tables(path, "this", tables)
    whole = path.read_bytes()
    read = read_tables(path, "this")
    assert read is not None
    assert same(read, tables)
    assert read_tables(path, "that") is None
    assert read_tables(tmp_path / "nothing", "this") is None
    for at in range(0, len(whole), len(whole) // 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert read_tables(path, "this") is None
        path.write_bytes(whole[:at])
        assert read_tables(path, "this") is None
    path.write_bytes(whole + b"\0")
    assert read_tables(path, "this") is None


def test_a_damaged_file_is_built_anew(tmp_path: Path) -> None:
    load_plan(tmp_path)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert load_plan(tmp_path).classify(b"8613800138000")[0]
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    assert load_plan(occupied / "folder").classify(b"8613800138000")[0]


def test_the_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "call-interceptor"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", "/home/x")
    assert default_folder() == Path("/home/x/.cache/call-interceptor")


@pytest.mark.parametrize(
    "name", ["transitions", "accept", "tails", "jump", "answers", "dial_transitions", "main_of_code"]
)
def test_tables_that_point_outside_are_refused(tables: Tables, name: str) -> None:
    wrong = dict(tables)
    wrong[name] = tables[name].copy()
    wrong[name].reshape(-1)[7] = np.iinfo(tables[name].dtype).max
    with pytest.raises(ValueError, match="points outside"):
        NumberingPlan(wrong)
    wrong[name] = tables[name].astype(np.int64)
    with pytest.raises(ValueError, match=f"{name} is not what this version reads"):
        NumberingPlan(wrong)


@pytest.mark.parametrize("name", ["general", "idd", "short", "emergency", "main", "first_rule"])
def test_regions_that_point_outside_are_refused(tables: Tables, name: str) -> None:
    wrong = dict(tables)
    wrong["regions"] = tables["regions"].copy()
    wrong["regions"][name][3] = 0xFFFF
    with pytest.raises(ValueError, match="points outside"):
        NumberingPlan(wrong)
