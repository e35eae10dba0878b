"""A condition's text -> bytecode: parse, check, compile; every fault carried back to its place in the policy file."""

from interceptor.engine.spec import Code, Span
from interceptor.policy.checker import check
from interceptor.policy.compiler import Compiler
from interceptor.policy.document import Node, offsets_of
from interceptor.policy.environment import Environment
from interceptor.policy.errors import PolicyError, Problem, Source
from interceptor.policy.parser import parse
from interceptor.policy.syntax import ConditionError


def compile_into(
    compiler: Compiler, condition: str, environment: Environment
) -> tuple[Span | None, list[ConditionError]]:
    """Adds a condition to a program; no span when there are faults."""
    try:
        resolved, faults = check(parse(condition), environment)
        return (None, faults) if faults else (compiler.add(resolved), [])
    except ConditionError as fault:
        return None, [fault]


def compile_condition(condition: str, environment: Environment | None = None) -> tuple[Code, Span]:
    """One condition as a program of its own.

    Raises
    ------
    PolicyError
        Every fault of the condition; its file is called ``<condition>``.
    """
    compiler = Compiler()
    span, faults = compile_into(compiler, condition, environment or Environment())
    if span is None:
        source = Source("<condition>", condition)
        raise PolicyError(source.problem(fault.at, fault.message) for fault in faults)
    return compiler.code(), span


def located(source: Source, node: Node, faults: list[ConditionError]) -> list[Problem]:
    """Faults of a condition that is a scalar of the policy file, as problems of that file."""
    if not faults:
        return []
    if node.kind != "scalar":
        return [source.problem(node.start, fault.message) for fault in faults]
    offsets = offsets_of(source, node)
    return [source.problem(offsets[min(fault.at, len(offsets) - 1)], fault.message) for fault in faults]
