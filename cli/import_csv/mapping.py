"""Which column feeds which field: `sku=SKU,location=Store` and constants, checked against the file's header before any row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cli.errors import Exit, Trouble
from cli.import_csv.kinds import Kind


@dataclass(frozen=True, slots=True)
class Columns:
    """Field to column name, and field to a constant for every row."""

    columns: Mapping[str, str]
    constants: Mapping[str, str]

    def column_of(self, field: str) -> str:
        """How to call a field's place when telling about a bad row."""
        return self.columns.get(field) or (
            f"{field} (constant)" if field in self.constants else f"{field} (not mapped)"
        )


def pairs(text: str, option: str) -> dict[str, str]:
    """`a=B,c=D` as a dictionary; a comma inside a column name is written `\\,`. Raises Trouble: mapping_malformed."""
    found: dict[str, str] = {}
    for part in text.replace("\\,", "\x00").split(","):
        field, equals, column = part.strip().partition("=")
        if not equals or not field.strip() or not column.strip():
            raise _usage(
                "mapping_malformed",
                f"{option} {text!r} cannot be read at {part.strip()!r}.",
                "it is a list of field=column, separated by commas",
                f"for example {option} sku=SKU,location=Store",
            )
        if field.strip() in found:
            raise _usage(
                "mapping_malformed",
                f"{option} names the field {field.strip()!r} twice.",
                "a field has one source",
                "leave one of them out",
            )
        found[field.strip()] = column.strip().replace("\x00", ",")
    return found


def check(
    kind: Kind, columns: Mapping[str, str], constants: Mapping[str, str], header: Sequence[str], delimiter: str
) -> Columns:
    """The mapping, if it fits the kind and the header; fields whose column has their own name need not be mapped.

    Raises Trouble: mapping_unknown_field, mapping_unknown_column, mapping_incomplete.
    """
    unknown = [field for field in (*columns, *constants) if field not in kind.fields]
    if unknown:
        raise _usage(
            "mapping_unknown_field",
            f"{unknown[0]!r} is not a field of {kind.name}.",
            f"its fields are {', '.join(kind.fields)}",
            "correct --map or --set",
        )
    names = [name.strip() for name in header]
    repeated = {name for name in names if names.count(name) > 1} & set(columns.values())
    if repeated:
        raise _usage(
            "mapping_unknown_column",
            f"The column {min(repeated)!r} is in the file twice.",
            "which one is meant cannot be told",
            "rename one of them in the file",
        )
    implied = {
        field: field for field in kind.fields if field in names and field not in columns and field not in constants
    }
    complete = {**implied, **columns}
    absent = [column for column in complete.values() if column not in names]
    if absent:
        hint = ""
        if len(names) == 1 and any(mark in names[0] for mark in ";\t|") and delimiter not in names[0]:
            mark = next(mark for mark in ";\t|" if mark in names[0])
            hint = (
                f"; the header looks separated by {mark!r}: give --delimiter {'tab' if mark == chr(9) else repr(mark)}"
            )
        raise _usage(
            "mapping_unknown_column",
            f"The file has no column {absent[0]!r}.",
            f"its columns are {', '.join(names)}{hint}",
            "correct --map",
        )
    missing = [field for field in kind.required if field not in complete and field not in constants]
    if missing:
        raise _usage(
            "mapping_incomplete",
            f"Nothing feeds {', '.join(missing)}, which {kind.name} need.",
            f"the file's columns are {', '.join(names)}; the fields of {kind.name} are {', '.join(kind.fields)}",
            f"add --map {missing[0]}=COLUMN, or --set {missing[0]}=VALUE for the same in every row",
        )
    return Columns(complete, constants)


def _usage(code: str, what: str, why: str, way_out: str) -> Trouble:
    return Trouble(code, what, why=why, way_out=way_out, exit_code=Exit.USAGE)
