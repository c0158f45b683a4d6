"""The newest idempotency keys, and a number for each: of the order it made, or of the refusal it got."""

from typing import NamedTuple

# One key takes about 80 bytes for its text, 30 for its place in a dict and 32 for its number.
KNOWN_KEYS = 1_000_000
_GENERATION_KEYS = 80_000


def key_of(account: str, idempotency_key: str) -> bytes:
    """Return what an account's key is remembered by. Neither part can hold a comma, so no two pairs are alike."""
    return f"{account},{idempotency_key}".encode()


class _Generation(NamedTuple):
    first: int  # number of the first key added to it; 0 in the oldest of all, before which there was none
    numbers: dict[bytes, int]


class KnownKeys:
    """The newest keys, at least `at_least` of them, each with a number.

    Keys are kept in generations; when the youngest is full, the oldest is dropped whole. So forgetting needs no order
    of its own, no single call pays for more than one generation, and at most two generations more than asked for are
    held. One thread at a time may add; any number may look meanwhile.
    """

    def __init__(self, at_least: int = KNOWN_KEYS, generation_keys: int = _GENERATION_KEYS) -> None:
        self._generation_keys = generation_keys
        self._full_generations = -(-at_least // generation_keys)
        self._young: dict[bytes, int] = {}
        # The youngest first: a retry mostly asks for a young key. Replaced as a whole: readers hold no lock.
        self._generations: tuple[_Generation, ...] = (_Generation(0, self._young),)

    def number(self, key: bytes) -> int | None:
        """Return the number last added for the key, None if the key is not known."""
        return self.find(key)[0]

    def find(self, key: bytes) -> tuple[int | None, int]:
        """Return `number(key)`, and the number from which on no key is forgotten, if numbers never fell; 0: all."""
        generations = self._generations
        for generation in generations:
            found = generation.numbers.get(key)
            if found is not None:
                return found, generations[-1].first
        return None, generations[-1].first

    def add(self, key: bytes, number: int) -> None:
        """Remember the number for the key."""
        if len(self._young) >= self._generation_keys:
            self._young = {}
            self._generations = (_Generation(number, self._young), *self._generations[: self._full_generations])
        self._young[key] = number

    def __len__(self) -> int:
        """Count the keys that are known."""
        return sum(len(generation.numbers) for generation in self._generations)
