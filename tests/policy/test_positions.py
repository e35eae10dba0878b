"""A character of a condition is found again in the policy file, however YAML wrote the condition down."""

from random import Random

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from interceptor.policy.document import offsets_of, read_document
from interceptor.policy.errors import Source
from tests.policy.expressions import Expressions

STYLES = [None, "'", '"', "|", ">"]


def found_again(text: str, style: str | None, width: int) -> None:
    written = yaml.dump({"a": "1", "when": text}, default_style=style, width=width, allow_unicode=True)
    source = Source("policy.yaml", written)
    root, _ = read_document(source)
    node = root.entries["when"]
    assert node.text == text
    offsets = offsets_of(source, node)
    assert len(offsets) == len(text) + 1
    assert offsets == sorted(offsets)
    for char, offset in zip(text, offsets, strict=False):
        if not char.isspace() and written[offset] != "\\":
            assert written[offset] == char


@pytest.mark.parametrize("style", STYLES)
@given(st.randoms(use_true_random=False), st.integers(10, 80))
def test_conditions(style: str | None, random: Random, width: int) -> None:
    found_again(Expressions(random).condition(3), style, width)


@pytest.mark.parametrize("style", ["'", '"', "|"])
@given(st.text("ab 'é\n\"\\#:日-", min_size=1), st.integers(10, 80))
def test_any_text(style: str, text: str, width: int) -> None:
    found_again(text, style, width)
