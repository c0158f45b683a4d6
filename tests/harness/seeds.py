"""Stocks to begin with."""

import csv
import os
import random
import shutil
from pathlib import Path

STOCK_COUNT = 486


def write_seed(path: Path, quantity: int = 100, count: int = STOCK_COUNT) -> None:
    """Write a seed file of made-up stocks; the first is A00.T."""
    chance = random.Random(1)
    names = [f"{chr(65 + number % 26)}{number // 26:02d}.T" for number in range(count)]
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["name", "price", "quantity"])
        rows.writerows([name, f"{chance.randrange(1, 100_000) / 100:.2f}", quantity] for name in names)


def write_chosen_seed(path: Path) -> None:
    """Write the file that BOURSE_TEST_SEED names, if it is set, otherwise made-up stocks; 100 shares each."""
    if os.environ.get("BOURSE_TEST_SEED"):
        shutil.copyfile(os.environ["BOURSE_TEST_SEED"], path)
    else:
        write_seed(path)


def read_seed(path: Path) -> dict[str, int]:
    """Return the quantity of each name of a seed file."""
    with path.open(newline="") as file:
        return {row["name"]: int(row["quantity"]) for row in csv.DictReader(file)}
