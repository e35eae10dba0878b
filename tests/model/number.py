"""Numbers and keys as obvious Python: the model the kernels are held to."""

from interceptor.engine.keys import KeyKind


def decode_key(key: int) -> tuple[KeyKind, bytes, int | None]:
    """Kind, digits and (of a short number) region an exact key was built from."""
    kind, length, value = KeyKind(key >> 58), key >> 54 & 15, key & (1 << 54) - 1
    if kind == KeyKind.KEY_SHORT:
        return kind, b"%0*d" % (length, value >> 10), value & 1023
    return kind, b"%0*d" % (length, value), None
