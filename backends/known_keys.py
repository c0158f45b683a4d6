"""The newest idempotency keys, and a number for each: of the order it made, or of the refusal it got."""

# One key takes about 80 bytes for its text, 30 for its place in a dict and 32 for its number.
KNOWN_KEYS = 1_000_000
_GENERATION_KEYS = 80_000


def key_of(account: str, idempotency_key: str) -> bytes:
    """Return what an account's key is remembered by. Neither part can hold a comma, so no two pairs are alike."""
    return f"{account},{idempotency_key}".encode()


class KnownKeys:
    """The newest keys, at least `at_least` of them, each with a number.

    Keys are kept in generations; when the youngest is full, the oldest is dropped whole. So forgetting needs no order
    of its own, no single call pays for more than one generation, and at most two generations more than asked for are
    held. Not thread-safe: the owner's lock guards it.
    """

    def __init__(self, at_least: int = KNOWN_KEYS, generation_keys: int = _GENERATION_KEYS) -> None:
        self._generation_keys = generation_keys
        self._full_generations = -(-at_least // generation_keys)
        self._young: dict[bytes, int] = {}
        self._older: list[dict[bytes, int]] = []  # the youngest first: a retry mostly asks for a young key

    def number(self, key: bytes) -> int | None:
        """Return the number last added for the key, None if the key is not known."""
        found = self._young.get(key)
        if found is not None:
            return found
        for generation in self._older:
            found = generation.get(key)
            if found is not None:
                return found
        return None

    def add(self, key: bytes, number: int) -> None:
        """Remember the number for the key."""
        if len(self._young) >= self._generation_keys:
            self._older.insert(0, self._young)
            del self._older[self._full_generations :]
            self._young = {}
        self._young[key] = number

    def __len__(self) -> int:
        """Count the keys that are known."""
        return len(self._young) + sum(map(len, self._older))
