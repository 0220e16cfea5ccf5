"""The hot path writes what the whole contract writes, byte for byte, or leaves the event to it. Oracle: the contract."""

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.registry import MESSAGES, strict
from services.gateway.ingest import fragments
from services.gateway.ingest.fragments import FieldWriter, Writer, item_key, writer
from services.gateway.ingest.usual import SHAPES_MAX, Shapes

FAST = sorted(name for name in MESSAGES if writer(name) is not None)
ODD: list[Any] = [
    0,
    1,
    -1,
    True,
    False,
    None,
    1.5,
    "",
    " ",
    "a/b",
    'é\u2028"\\',
    "2017-11-05",
    "1e3",
    "1_0",
    "-0",
    "0x1",
    [],
    {},
]
texts = st.sampled_from(["1029743", "367", "2", "2.50", "kg", "receipt", "transfer_in", "USD", "usd", "EUR"]) | st.text(
    max_size=70
)
moments = st.datetimes(timezones=st.none() | st.just(None)).map(lambda one: one.isoformat() + "+01:00")
values = (
    st.sampled_from(ODD) | texts | moments | st.dates().map(str) | st.decimals(-9, 9, places=3).map(str) | st.integers()
)


def whole(name: str, data: dict[str, Any]) -> bytes | None:
    """The contract's own answer; None when it refuses."""
    try:
        return strict(name).model_validate({**data, "tenant": "acme"}).model_dump_json(exclude_none=True).encode()
    except ValidationError:
        return None


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A frozen example with some of its fields changed, taken away or invented."""
    name = draw(st.sampled_from(FAST))
    data = dict(draw(st.sampled_from(EXAMPLES[name])))
    fields = [*strict(name).model_fields, "invented"]
    for field in draw(st.lists(st.sampled_from(fields), max_size=3)):
        if draw(st.booleans()):
            data[field] = draw(values)
        else:
            data.pop(field, None)
    data.pop("tenant", None)
    return name, data


@pytest.fixture(scope="module", autouse=True)
def _examples(pytestconfig: pytest.Config) -> None:
    for name in FAST:
        folder = pytestconfig.rootpath / "schemas/examples" / name
        EXAMPLES[name] = [orjson.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


EXAMPLES: dict[str, list[dict[str, Any]]] = {}


def test_what_shops_and_warehouses_send_in_masses_is_written_fast() -> None:
    assert FAST == ["return.recorded.v1", "sale.recorded.v1", "sale.voided.v1", "stock.counted.v1", "stock.moved.v1"]
    for name in FAST:
        for data in EXAMPLES[name]:
            fast = writer(name)
            assert fast is not None
            assert fast.write(data, data["tenant"]) is not None


@given(messages())
def test_hot_path_equals_the_contract_or_steps_aside(message: tuple[str, dict[str, Any]]) -> None:
    name, data = message
    fast = writer(name)
    assert fast is not None
    for _ in range(2):  # learnt, then remembered
        assert fast.write(data, "acme") in (None, whole(name, data))


@given(messages())
def test_plan_for_its_fields_writes_what_the_contract_writes(message: tuple[str, dict[str, Any]]) -> None:
    name, data = message
    fast = writer(name)
    assert fast is not None
    plan = fast.plan("acme", tuple(data))
    for _ in range(2):  # learnt, then remembered
        assert plan is None or plan.write_all(plan.columns([data, data])) in ([None] * 2, [whole(name, data)] * 2)


def test_examples_of_the_masses_have_a_plan_but_for_their_own_tenant() -> None:
    for name in FAST:
        for data in EXAMPLES[name]:
            fast = writer(name)
            assert fast is not None
            assert fast.plan(data["tenant"], tuple(data)) is None
            plan = fast.plan("100%b", tuple(field for field in data if field != "tenant"))
            assert plan is not None
            told = strict(name).model_validate({**data, "tenant": "100%b"})
            assert plan.write_all(plan.columns([data])) == [told.model_dump_json(exclude_none=True).encode()]


@given(messages())
def test_key_of_the_hot_path_is_the_contracts(message: tuple[str, dict[str, Any]]) -> None:
    name, data = message
    fast = writer(name)
    if fast is not None and fast.write(data, "acme") is not None:
        model = MESSAGES[name].model_validate({**data, "tenant": "acme"})
        assert item_key(name, "acme", data["sku"], data["location"]) == model.record_key().encode()


def test_one_true_and_the_text_one_do_not_stand_for_each_other() -> None:
    promotion = FieldWriter(MESSAGES["sale.recorded.v1"], "promotion")
    quantity = FieldWriter(MESSAGES["sale.recorded.v1"], "quantity")
    assert promotion.write(True) == b'"promotion":true'
    assert quantity.write(1) == quantity.write("1") == b'"quantity":"1"'
    assert quantity.write(True) is None
    assert promotion.write("1") == b'"promotion":true'


def test_memory_of_a_field_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "REMEMBERED_MAX", 10)
    field = FieldWriter(MESSAGES["sale.recorded.v1"], "quantity")
    for number in range(1, 100):
        assert field.write(str(number)) == b'"quantity":"%d"' % number
    assert sum(len(known) for known in field._known.values()) <= 10


def test_text_of_any_length_is_written_and_a_long_one_is_not_kept() -> None:
    field = FieldWriter(MESSAGES["sale.recorded.v1"], "quantity")
    assert field.write("2".zfill(100_000)) == b'"quantity":"2"'
    assert not field.texts


def test_message_whose_fields_depend_on_each_other_is_left_to_the_whole_contract() -> None:
    assert writer("business-day.closed.v1") is None
    assert writer("supplier-item.defined.v1") is None
    assert isinstance(writer("sale.recorded.v1"), Writer)


def test_memory_of_shapes_is_bounded() -> None:
    fast = writer("sale.recorded.v1")
    assert fast is not None
    shapes = Shapes("acme", fast)
    sale = EXAMPLES["sale.recorded.v1"][0] | {"tenant": "acme"}
    for order in itertools.islice(itertools.permutations(sale), SHAPES_MAX * 3):
        data = {name: sale[name] for name in order if name != "tenant"}
        plan = shapes.plan(tuple(data))
        assert plan is not None
        assert plan.write_all(plan.columns([data])) == [whole("sale.recorded.v1", data)]
    assert len(shapes._plans) <= SHAPES_MAX
