"""The world's numbering plan, from libphonenumber's metadata to the tables `engine.plan` walks."""

from interceptor.numbering.cache import load_plan

__all__ = ["load_plan"]
