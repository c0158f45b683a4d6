"""Violations to plant in the sample history, and the checks that must find each."""

from collections.abc import Callable
from dataclasses import replace

from tests.checker.history import Outcome, PlaceOrder, ReadStock, Reason
from tests.checker.sample import ONE, TWO, Sample
from tests.checker.violations import Kind


def swap_in_time(sample: Sample) -> None:
    """Order 5 was acknowledged before order 4 was asked for."""
    sample.drop("not found")
    sample.change("fifth", invoked=107.8, ended=107.9)


def acknowledge_before_asking_again(sample: Sample) -> None:
    """The order of the first request is acknowledged; that it was refused before shows it was not made by then."""
    refused = PlaceOrder(ONE, 100.6, 100.7, "k1", "A", "buy", 1, Outcome.REFUSED, reason=Reason.INSUFFICIENT_STOCK)
    sample.add("refused after", refused)


def lose_last(sample: Sample) -> None:
    sample.drop("descending")
    sample.drop("ascending")
    sample.drop("filtered")
    sample.drop("unsettled")
    sample.change("last read", name="B", quantity=15)
    sample.set_orders(*sample.orders[:4])


def show_other_price(sample: Sample) -> None:
    sample.change("first", order=replace(sample.orders[0], price="1.51"))


def answer_with_other_order(sample: Sample) -> None:
    sample.change("fifth", order=sample.orders[2])


def find_other_order(sample: Sample) -> None:
    sample.change("found", order=replace(sample.orders[3], quantity=2))


def find_order_of_other_number(sample: Sample) -> None:
    """Order 4 is shown as it is, to somebody who asked for order 3."""
    sample.change("found", number=3)


def answer_with_order_of_other_account(sample: Sample) -> None:
    """Somebody else's key is the same, and so is what they ask for; the journal holds the order of the first alone."""
    sample.add("other account", replace(sample.operation("first"), account="eve"))  # type: ignore[arg-type]


def two_orders_for_key(sample: Sample) -> None:
    sample.drop("unsettled")
    orders = [*sample.orders[:5], replace(sample.orders[5], key="k7", order_type="buy", quantity=2)]
    sample.set_orders(*orders)
    sample.drop("ascending")
    sample.drop("descending")


def execute_unavailable(sample: Sample) -> None:
    """503, and there it is; the request that may have made its row is gone."""
    sample.change("unsettled", outcome=Outcome.NOT_EXECUTED)


def execute_refused(sample: Sample) -> None:
    """A refusal settles the request with the key that ended before."""
    sample.change("unsettled", invoked=100.0, ended=100.1)
    refused = PlaceOrder(ONE, 110.0, 120.0, "k8", "B", "buy", 1, Outcome.REFUSED, reason=Reason.INSUFFICIENT_STOCK)
    sample.add("refused k8", refused)


def nobody_asked(sample: Sample) -> None:
    sample.drop("unsettled")


def ask_for_other_quantity(sample: Sample) -> None:
    sample.change("unsettled", quantity=7)


def reuse_of_unused_key(sample: Sample) -> None:
    sample.change("reused", key="k99")


def reuse_of_same_order(sample: Sample) -> None:
    sample.change("reused", quantity=1)


def refuse_what_was_before(sample: Sample) -> None:
    """The key had its order before the history began."""
    sample.history.orders_before = 1
    sample.change("first", outcome=Outcome.REFUSED, reason=Reason.INSUFFICIENT_STOCK, order=None, quantity=5)


def oversell(sample: Sample) -> None:
    """The row takes more than there is."""
    sample.set_orders(*sample.orders[:5], replace(sample.orders[5], quantity=50))
    sample.change("unsettled", quantity=50)
    sample.drop("ascending")
    sample.drop("descending")


def read_old_quantity(sample: Sample) -> None:
    """From before order 1, which was acknowledged."""
    sample.change("read", quantity=3)


def read_future_quantity(sample: Sample) -> None:
    """A read shows order 2 before it was asked for."""
    sample.change("read", quantity=1)


def read_no_quantity_ever(sample: Sample) -> None:
    sample.change("read", quantity=77)


def read_hides_stock(sample: Sample) -> None:
    sample.change("read", quantity=None)


def reads_go_back(sample: Sample) -> None:
    """Two reads while order 4 is being placed, the first behind it, the second before it."""
    sample.change("fourth", invoked=108.0, ended=109.4)
    sample.add("new", ReadStock(ONE, 108.1, 108.2, "A", 2))
    sample.add("old", ReadStock(TWO, 108.3, 108.4, "A", 1))


def last_read_differs(sample: Sample) -> None:
    sample.change("last read", quantity=1)


def hide_order(sample: Sample) -> None:
    sample.change("not found", number=3)


def refuse_without_reason(sample: Sample) -> None:
    sample.change("refused", quantity=1)


def refuse_with_wrong_quantity(sample: Sample) -> None:
    sample.change("refused", available=0)


def refuse_known_stock(sample: Sample) -> None:
    sample.change("refused", reason=Reason.UNKNOWN_STOCK)


def list_without_acknowledged(sample: Sample) -> None:
    """The last page ends before order 6, which the list before it had shown."""
    sample.change_page("descending", 0, orders=tuple(sample.orders[4:2:-1]))


def list_skips_between_pages(sample: Sample) -> None:
    sample.change_page("ascending", 0, orders=tuple(sample.orders[1:3]))


def list_skips_first(sample: Sample) -> None:
    sample.change_page("ascending", 0, orders=tuple(sample.orders[2:4]))


def list_ends_early(sample: Sample) -> None:
    sample.change_page("descending", 1, orders=(sample.orders[2],))


def list_names_old_latest(sample: Sample) -> None:
    sample.change_page("descending", 1, latest=4)


def list_repeats(sample: Sample) -> None:
    sample.change_page("ascending", 1, orders=tuple(sample.orders[3:6]))


def list_wrong_way(sample: Sample) -> None:
    sample.change_page("ascending", 0, orders=tuple(sample.orders[3:0:-1]))


def list_other_stock(sample: Sample) -> None:
    sample.change("filtered", names=("B",))


def cache_after_own_order(sample: Sample) -> None:
    """The same quantity is good at the other frontend."""
    sample.change("cached own", quantity=1)


def cache_older_than_second(sample: Sample) -> None:
    sample.change("cached other", invoked=110.6, ended=110.7)


def cache_of_the_future(sample: Sample) -> None:
    """What a sale made that nobody had asked for yet."""
    sample.change("cached", name="B", quantity=15)


def tear_replica(sample: Sample) -> None:
    sample.history.files["order-2"] = sample.history.files["order-2"][:-5]


def flip_in_replica(sample: Sample) -> None:
    sample.damage("order-3", b"k5", b"k4")


def change_row_of_all(sample: Sample) -> None:
    """The field is of nobody's interest but the chain's."""
    sample.damage_all(b"1,1,A", b"1,0,A")


def tear_all(sample: Sample) -> None:
    sample.history.files = {name: data + b"7,1,A,buy" for name, data in sample.history.files.items()}


def spell_row_otherwise(sample: Sample) -> None:
    """The same quantity with a zero before it, under a chain that fits: no two spellings are one row."""
    for name in ("ascending", "descending", "filtered"):
        sample.drop(name)
    sample.set_orders(*sample.orders[:5], replace(sample.orders[5], quantity="01"))  # type: ignore[arg-type]


def number_twice(sample: Sample) -> None:
    """Rows 1 to 5, 5: the last, which nobody was told of, has the number of the one before."""
    sample.drop("ascending")
    sample.drop("descending")
    sample.set_orders(*sample.orders[:5], replace(sample.orders[5], number=5))


def go_back_in_time(sample: Sample) -> None:
    sample.drop("ascending")
    sample.drop("descending")
    sample.set_orders(*sample.orders[:5], replace(sample.orders[5], created_at="2031-04-09T13:05:21.000000Z"))


PLANTED: list[tuple[Callable[[Sample], None], set[Kind]]] = [
    (swap_in_time, {Kind.OUT_OF_ORDER}),
    (acknowledge_before_asking_again, {Kind.EXECUTED, Kind.UNTRUE_REFUSAL}),
    (lose_last, {Kind.LOST}),
    (show_other_price, {Kind.DIFFERENT}),
    (answer_with_other_order, {Kind.DIFFERENT}),
    (find_other_order, {Kind.DIFFERENT}),
    (find_order_of_other_number, {Kind.DIFFERENT}),
    (answer_with_order_of_other_account, {Kind.DIFFERENT}),
    (two_orders_for_key, {Kind.TWO_ORDERS}),
    (execute_unavailable, {Kind.EXECUTED}),
    (execute_refused, {Kind.EXECUTED, Kind.UNTRUE_REFUSAL}),
    (nobody_asked, {Kind.UNASKED}),
    (ask_for_other_quantity, {Kind.UNASKED}),
    (reuse_of_unused_key, {Kind.WRONG_REUSE}),
    (reuse_of_same_order, {Kind.WRONG_REUSE}),
    (refuse_what_was_before, {Kind.EXECUTED}),
    (oversell, {Kind.NOT_CONSERVED}),
    (read_old_quantity, {Kind.UNTRUE_READ}),
    (read_future_quantity, {Kind.OUT_OF_ORDER}),
    (read_no_quantity_ever, {Kind.UNTRUE_READ}),
    (read_hides_stock, {Kind.UNTRUE_READ}),
    (reads_go_back, {Kind.UNTRUE_READ}),
    (last_read_differs, {Kind.UNTRUE_READ}),
    (hide_order, {Kind.UNTRUE_READ}),
    (refuse_without_reason, {Kind.UNTRUE_REFUSAL}),
    (refuse_with_wrong_quantity, {Kind.UNTRUE_REFUSAL}),
    (refuse_known_stock, {Kind.UNTRUE_REFUSAL}),
    (list_without_acknowledged, {Kind.LIST_HOLE}),
    (list_skips_between_pages, {Kind.LIST_HOLE}),
    (list_skips_first, {Kind.LIST_HOLE}),
    (list_ends_early, {Kind.LIST_HOLE}),
    (list_names_old_latest, {Kind.UNTRUE_READ}),
    (list_repeats, {Kind.LIST_REPEATS}),
    (list_wrong_way, {Kind.LIST_REPEATS}),
    (list_other_stock, {Kind.LIST_FILTER}),
    (cache_after_own_order, {Kind.STALE_CACHE}),
    (cache_older_than_second, {Kind.STALE_CACHE}),
    (cache_of_the_future, {Kind.OUT_OF_ORDER}),
    (tear_replica, {Kind.FILES_DIFFER}),
    (flip_in_replica, {Kind.FILES_DIFFER}),
    (change_row_of_all, {Kind.BAD_JOURNAL}),
    (tear_all, {Kind.BAD_JOURNAL}),
    (spell_row_otherwise, {Kind.BAD_JOURNAL}),
    (number_twice, {Kind.BAD_JOURNAL}),
    (go_back_in_time, {Kind.BAD_JOURNAL}),
]
