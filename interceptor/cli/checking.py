"""What `interceptor policy check` does: shows what a policy holds and costs, or everything wrong with it."""

import time
from collections.abc import Iterator
from pathlib import Path

import typer

from interceptor.cli.failing import Failure
from interceptor.engine.engine import Engine
from interceptor.engine.spec import Spec
from interceptor.numbering import load_plan
from interceptor.policy import PolicyError, load_policy
from interceptor.policy.cost import policy_cost
from interceptor.runtime.loader import policy_path
from interceptor.store.listfile import ListFileError, read_list


def check(file: str, *, lists: bool, home: str) -> None:
    """Prints the summary of a policy. Raises Failure when it has problems, which are printed."""
    try:
        path = policy_path(file)
    except FileNotFoundError as error:
        raise Failure(str(error)) from None
    try:
        spec = load_policy(path)
    except PolicyError as error:
        count = len(error.problems)
        typer.echo(str(error), err=True)
        raise Failure(f"{file} has {count} problem{'s' if count > 1 else ''}") from None
    typer.echo(f"{file}: good")
    for name, value in summary(spec, home):
        typer.echo(f"  {name:<9} {value}")
    if lists:
        for line in read_lists(spec, home):
            typer.echo(line)


def summary(spec: Spec, home: str) -> Iterator[tuple[str, str]]:
    """What a policy holds and what it costs, line by line."""

    shadow = sum(rule.shadow for rule in spec.rules)
    yield "rules", f"{len(spec.rules)}" + (f", {shadow} of them shadow" if shadow else "")
    counters = ", ".join(counter.name for counter in spec.counters)
    yield "counters", f"{len(spec.counters)}" + (f": {counters}" if counters else "")
    for each in spec.lists:
        yield "list", f"{each.name}: {each.kind.value}, " + (each.file or "kept in the store")
    yield "cost", f"at most {policy_cost(spec)} instructions a call"
    size, entities = counters_memory(spec, home)
    yield "memory", f"at most {size / 2**20:,.0f} MiB for counters" + (f": {entities}" if entities else "")


def counters_memory(spec: Spec, home: str) -> tuple[int, str]:
    """Bytes that a policy's counters take when all their slots are filled, and the slots by kind of entity.

    Raises
    ------
    MemoryError
        This machine has not so much.
    """
    engine = Engine(load_plan(), home=home)
    engine.publish(spec, {}, revision=1)
    tables = engine.stats()["entities"]
    return (
        sum(table["bytes"] for table in tables),
        ", ".join(f"{table['slots']:,} {table['kind']}" for table in tables),
    )


def read_lists(spec: Spec, home: str) -> Iterator[str]:
    """What the list files of a policy hold. Raises Failure at the first that is no good."""
    plan = load_plan()
    for each in spec.lists:
        if each.file is None:
            continue
        try:
            found = read_list(
                Path(each.file),
                each.kind,
                plan,
                home,
                bytes(16),
                int(time.time() * 1000),
                allow_bad=each.allow_bad,
            )
        except ListFileError as error:
            raise Failure(f"list {each.name}: {error}") from None
        good = found.rows - found.bad - found.expired
        yield f"  {each.name}: {good:,} entries, {found.bad:,} bad rows, {found.expired:,} ended"
        for line, reason in found.first_bad:
            yield f"    line {line}: {reason}"
