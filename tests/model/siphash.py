"""SipHash-2-4 with 128 bits, as its authors wrote it down (Aumasson and Bernstein, 2012, and their later code)."""

MASK = (1 << 64) - 1


def rotated(x: int, bits: int) -> int:
    return (x << bits | x >> 64 - bits) & MASK


class State:
    def __init__(self, key: bytes) -> None:
        k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
        self.v0 = k0 ^ 0x736F6D6570736575
        self.v1 = k1 ^ 0x646F72616E646F6D ^ 0xEE
        self.v2 = k0 ^ 0x6C7967656E657261
        self.v3 = k1 ^ 0x7465646279746573

    def round(self) -> None:
        self.v0 = (self.v0 + self.v1) & MASK
        self.v2 = (self.v2 + self.v3) & MASK
        self.v1 = rotated(self.v1, 13) ^ self.v0
        self.v3 = rotated(self.v3, 16) ^ self.v2
        self.v0 = rotated(self.v0, 32)
        self.v2 = (self.v2 + self.v1) & MASK
        self.v0 = (self.v0 + self.v3) & MASK
        self.v1 = rotated(self.v1, 17) ^ self.v2
        self.v3 = rotated(self.v3, 21) ^ self.v0
        self.v2 = rotated(self.v2, 32)

    def take(self, word: int) -> None:
        self.v3 ^= word
        self.round()
        self.round()
        self.v0 ^= word

    def half(self) -> bytes:
        for _ in range(4):
            self.round()
        return (self.v0 ^ self.v1 ^ self.v2 ^ self.v3).to_bytes(8, "little")


def siphash_128(key: bytes, message: bytes) -> bytes:
    """The 16 bytes of the hash, under a key of 16 bytes."""
    state = State(key)
    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 0xFF])
    for start in range(0, len(padded), 8):
        state.take(int.from_bytes(padded[start : start + 8], "little"))
    state.v2 ^= 0xEE
    first = state.half()
    state.v1 ^= 0xDD
    return first + state.half()
