"""A change that the service refused unless it is confirmed: what it would have meant, and the command that confirms."""

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from interceptor.cli.connection import RefusedError
from interceptor.cli.failing import Failure
from interceptor.cli.listtables import show_impact
from interceptor.cli.printing import in_full


@contextmanager
def shown() -> Iterator[None]:
    """What a refusal rests on goes to standard error: a table for a person, JSON elsewhere."""
    try:
        yield
    except RefusedError as error:
        if sys.stderr.isatty():
            show_impact(error.impact, Console(stderr=True, highlight=False))
        else:
            print(in_full(error.impact), file=sys.stderr)
        again = confirming(sys.argv[1:], error.impact.revision)
        raise Failure(f"{error}\nto do it all the same: {again}") from None


def confirming(arguments: list[str], revision: int) -> str:
    """The command line `interceptor ARGUMENTS` with leave to do it as of `revision`."""
    kept: list[str] = []
    follows = False
    for each in arguments:
        if follows or each == "--confirm":
            follows = each == "--confirm"
        elif not re.match("--confirm=", each):
            kept.append(each)
    return shlex.join(["interceptor", *kept, "--confirm", str(revision)])
