"""A policy, YAML with CEL conditions, checked and compiled into what the engine runs. Knows no call, list or store."""

from interceptor.policy.errors import PolicyError, Problem
from interceptor.policy.loader import load_policy
from interceptor.policy.reading import load_document
from interceptor.policy.schema import Policy

__all__ = ["Policy", "PolicyError", "Problem", "load_document", "load_policy"]
