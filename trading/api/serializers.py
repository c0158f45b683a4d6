"""The shapes of POSTed bodies: strict in JSON, digits in HTML forms. Knows fields only, no stock and no replica."""

import re
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import serializers

from common.bounds import IDEMPOTENCY_KEY, MAX_ORDER_QUANTITY, MAX_REPLICA_ID, STOCK_NAME, STOCK_NAME_RULE
from trading.api.errors import shown, shown_field
from trading.api.order_key import ALLOWED, new_key

_DIGITS = re.compile(r"[0-9]{1,19}")
# Fields that the browsable API's forms bring along.
_FORM_FIELDS = {"csrfmiddlewaretoken"}
_MISSING = {"required": "is missing", "null": "must not be null"}


class PatternField(serializers.CharField):
    """A string that a pattern matches as a whole; other types are not turned into strings."""

    def __init__(self, pattern: re.Pattern[str], rule: str, **options: Any) -> None:
        super().__init__(trim_whitespace=False, error_messages=_MISSING, **options)
        self._pattern = pattern
        self._rule = rule

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Return the string. A form field left empty that is not required counts as not given."""
        if data == "" and not self.required and isinstance(self.root.initial_data, QueryDict):
            raise serializers.SkipField
        return serializers.Field.run_validation(self, data)

    def to_internal_value(self, data: Any) -> str:
        """Return the string, unchanged."""
        if not isinstance(data, str) or not self._pattern.fullmatch(data):
            raise serializers.ValidationError(f"{shown(data)} is not {self._rule}")
        return data


class TypeField(serializers.ChoiceField):
    """`buy` or `sell`, in lower case."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[("buy", "Buy"), ("sell", "Sell")], error_messages=_MISSING, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the type, unchanged."""
        if not isinstance(data, str) or data not in self.choices:
            raise serializers.ValidationError(f"{shown(data)} is neither 'buy' nor 'sell'")
        return data


class WholeNumberField(serializers.IntegerField):
    """An integer from 1 to `most`. JSON must give an integer; a form gives digits."""

    def __init__(self, most: int, **options: Any) -> None:
        super().__init__(min_value=1, max_value=most, error_messages=_MISSING, **options)
        # The bounds above are for the form's input alone: to_internal_value checks them, and names the value.
        self.validators: list[Any] = []

    def to_internal_value(self, data: Any) -> int:
        """Return the integer; booleans, floats and, in JSON, strings are refused."""
        is_form = isinstance(self.root.initial_data, QueryDict)
        number = int(data) if is_form and isinstance(data, str) and _DIGITS.fullmatch(data) else data
        if type(number) is not int or not 1 <= number <= self.max_value:
            raise serializers.ValidationError(f"{shown(data)} is not an integer from 1 to {self.max_value}")
        return number


class StrictSerializer(serializers.Serializer):
    """Fields of a body, which is about `subject`. Unknown ones, and form fields given twice, are refused by name."""

    subject = ""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the checked fields; all that is wrong is told at once."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError(
                {"non_field_errors": [f"The body is {shown(data)}; a JSON object is needed."]}
            )
        errors = _unwanted(data, set(self.fields), self.subject)
        try:
            values: dict[str, Any] = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = error.detail | errors
        if errors:
            raise serializers.ValidationError(errors)
        return values


class PlaceOrderSerializer(StrictSerializer):
    """An order to place."""

    subject = "an order"

    name = PatternField(STOCK_NAME, f"a stock name ({STOCK_NAME_RULE})", label="Stock", help_text="For example AAPL.")
    type = TypeField(label="Type", help_text="Buy takes shares out of the market, sell puts them back.")
    quantity = WholeNumberField(
        MAX_ORDER_QUANTITY, label="Quantity", initial=1, help_text="A whole number of shares, from 1."
    )
    client_order_id = PatternField(
        IDEMPOTENCY_KEY,
        ALLOWED,
        required=False,
        label="Client order id",
        # A form that is sent twice, by a double click or a reload, is one order.
        initial=new_key,
        help_text="With the same id again you get the same order again, never a second one.",
    )


_ORDER_FIELDS = {"name", "type", "quantity", "client_order_id"}


def plain_order(body: object) -> dict[str, Any] | None:
    """Return name, type and quantity of an order in JSON; None if PlaceOrderSerializer has to say what is wrong.

    The key is not looked at. This takes a tenth of the serializer's time, and accepts nothing that it refuses.
    """
    if type(body) is not dict or not body.keys() <= _ORDER_FIELDS:
        return None
    name, order_type, quantity = body.get("name"), body.get("type"), body.get("quantity")
    is_right = (
        type(name) is str
        and STOCK_NAME.fullmatch(name)
        and order_type in ("buy", "sell")
        and type(quantity) is int
        and 1 <= quantity <= MAX_ORDER_QUANTITY
    )
    return {"name": name, "type": order_type, "quantity": quantity} if is_right else None


class ResyncSerializer(StrictSerializer):
    """Nothing: the path says which replica."""

    subject = "a resync"


class SwitchoverSerializer(StrictSerializer):
    """Which replica is to lead."""

    subject = "a switchover"

    to = WholeNumberField(MAX_REPLICA_ID)


def _unwanted(data: Mapping[str, Any], known: set[str], subject: str) -> dict[str, list[str]]:
    is_form = isinstance(data, QueryDict)
    allowed = known | _FORM_FIELDS if is_form else known
    errors = {shown_field(name): [f"is not a field of {subject}"] for name in data if name not in allowed}
    if isinstance(data, QueryDict):
        errors |= {name: ["is given more than once"] for name in known if len(data.getlist(name)) > 1}
    return errors
