"""Rows of a table as what `muonscope data prepare` reads: lines of JSON with a text or a list of ids, or ids alone."""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Iterator, List, Optional

from ._library import Error
from ._prepare_inputs import Input

if TYPE_CHECKING:
    import pyarrow

# What is read where no column is named.
DEFAULT_COLUMNS = ("text", "input_ids")


def _type_at(schema: "pyarrow.Schema", field: str) -> "Optional[pyarrow.DataType]":
    """The type of a column by its name or else by its path; None: there is no such column."""
    import pyarrow

    if field in schema.names:
        return schema.field(field).type
    parts = field.split(".")
    if parts[0] not in schema.names:
        return None
    type_ = schema.field(parts[0]).type
    for part in parts[1:]:
        if not pyarrow.types.is_struct(type_) or type_.get_field_index(part) < 0:
            return None
        type_ = type_.field(type_.get_field_index(part)).type
    return type_


def _paths(schema: "pyarrow.Schema") -> List[str]:
    """Every column, those of a struct by their paths, with its type."""
    import pyarrow

    def below(path: str, type_: "pyarrow.DataType") -> List[str]:
        if pyarrow.types.is_struct(type_):
            return [inner for i in range(type_.num_fields) for inner in below(f"{path}.{type_.field(i).name}", type_.field(i).type)]
        return [f"{path} ({type_})"]

    found = [path for field in schema for path in below(field.name, field.type)]
    return found if len(found) <= 40 else [*found[:40], f"and {len(found) - 40} more"]


def _value_type(type_: "pyarrow.DataType") -> "Optional[pyarrow.DataType]":
    """The type of a list's values; None: it is no list."""
    import pyarrow

    tests = ("is_list", "is_large_list", "is_fixed_size_list", "is_list_view", "is_large_list_view")
    known = [getattr(pyarrow.types, test) for test in tests if hasattr(pyarrow.types, test)]
    return type_.value_type if any(test(type_) for test in known) else None


def _is_text(type_: "pyarrow.DataType") -> bool:
    import pyarrow

    if pyarrow.types.is_dictionary(type_):
        type_ = type_.value_type
    tests = ("is_string", "is_large_string", "is_string_view", "is_binary", "is_large_binary", "is_binary_view")
    return any(getattr(pyarrow.types, test)(type_) for test in tests if hasattr(pyarrow.types, test))


def choose_field(inputs: List[Input], field: Optional[str]) -> str:
    """The column that is read.  muonscope.Error: none is named, and there is none of the usual names, or both."""
    if field is not None:
        return field
    names = inputs[0].schema.names
    found = [name for name in DEFAULT_COLUMNS if name in names]
    if len(found) == 1:
        return found[0]
    if found:
        raise Error(f"{inputs[0].name} has the columns {' and '.join(found)}: --field says which")
    raise Error(f"{inputs[0].name} has no column {' or '.join(DEFAULT_COLUMNS)}: --field names one of {', '.join(_paths(inputs[0].schema))}")


def holds_ids(inputs: List[Input], field: str) -> bool:
    """Whether the column has lists of token ids; otherwise it has texts, in every input.  muonscope.Error: neither, or both."""
    import pyarrow

    kinds = []
    for source in inputs:
        type_ = _type_at(source.schema, field)
        if type_ is None:
            raise Error(f"{source.name} has no column {field}; it has {', '.join(_paths(source.schema))}")
        if pyarrow.types.is_struct(type_):
            names = ", ".join(f"{field}.{type_.field(i).name}" for i in range(type_.num_fields))
            raise Error(f"{source.name}: the column {field} has columns within: --field names one of {names}")
        values = _value_type(type_)
        if not _is_text(type_) and (values is None or not pyarrow.types.is_integer(values)):
            raise Error(f"{source.name}: the column {field} is {type_}, neither text nor a list of integers")
        kinds.append(values is not None)
        if kinds[-1] != kinds[0]:
            raise Error(f"{source.name}: the column {field} is {type_}, unlike that of {inputs[0].name}")
    return kinds[0]


def _column(batch: "pyarrow.RecordBatch", field: str) -> "pyarrow.Array":
    """The values under the field; null where a struct around them is."""
    import pyarrow.compute

    names = batch.schema.names
    if field in names:
        column = batch.column(names.index(field))
        column.validate()
        return column
    parts = field.split(".")
    column = batch.column(names.index(parts[0]))
    column.validate()
    return pyarrow.compute.struct_field(column, parts[1:])


def texts(source: Input, field: str) -> Iterator[bytes]:
    """Lines of JSON, {"field": "text"} or {"field": null}, one a row, many at a time.  Bytes that are no UTF-8 stay as they are: it is
    the reader's choice what becomes of them."""
    import pyarrow

    start = "{" + json.dumps(field, ensure_ascii=False) + ": "
    for batch in source.batches(field):
        column = _column(batch, field)
        if pyarrow.types.is_dictionary(column.type):
            column.validate(full=True)
            column = column.dictionary_decode()
        # As bytes: pyarrow would stop at the first text that is no UTF-8.  The check is of offsets.
        column = column.cast(pyarrow.large_binary())
        column.validate(full=True)
        lines = [
            start + ("null" if text is None else encode_basestring(text.decode("utf-8", "surrogateescape"))) + "}\n"
            for text in column.to_pylist()
        ]
        yield "".join(lines).encode("utf-8", "surrogateescape")


def _few_ids(column: "pyarrow.Array") -> "Iterator[pyarrow.Array]":
    """The rows again, a million ids at a time or one row: Arrow holds at most 2 GiB of text in an array."""
    if len(column) > 1 and len(column.flatten()) > 1 << 20:
        yield from _few_ids(column.slice(0, len(column) // 2))
        yield from _few_ids(column.slice(len(column) // 2))
    else:
        yield column


def id_lists(source: Input, field: str) -> Iterator[bytes]:
    """Lines of JSON, {"field": [1, 2]}, one a row, many at a time; null for a list that is null or holds one."""
    import pyarrow
    import pyarrow.compute

    start = "{" + json.dumps(field, ensure_ascii=False) + ": "
    for batch in source.batches(field):
        column = _column(batch, field)
        column.validate(full=True)
        for rows in _few_ids(column):
            joined = pyarrow.compute.binary_join(rows.cast(pyarrow.large_list(pyarrow.string())), ",")
            lines = [start + ("null" if text is None else f"[{text}]") + "}\n" for text in joined.to_pylist()]
            yield "".join(lines).encode()


def packed_ids(source: Input, field: str) -> Iterator[bytes]:
    """The ids of all rows as one sequence of uint32.  muonscope.Error: a row is null, or has an id that is null or no uint32."""
    import numpy

    n_rows = 0
    for batch in source.batches(field):
        column = _column(batch, field)
        column.validate(full=True)
        ids = column.flatten()
        if column.null_count or ids.null_count:
            row = next(i for i, value in enumerate(column.to_pylist(), n_rows + 1) if value is None or None in value)
            raise Error(f"{source.name}: row {row} of the column {field} is null or holds a null: --packed needs every id")
        values = ids.to_numpy(zero_copy_only=False)
        if values.size and (values.min() < 0 or values.max() > 0xFFFFFFFF):
            row = next(i for i, value in enumerate(column.to_pylist(), n_rows + 1) if value and not 0 <= min(value) <= max(value) <= 0xFFFFFFFF)
            raise Error(f"{source.name}: row {row} of the column {field} has an id that is no uint32")
        n_rows += batch.num_rows
        yield values.astype("<u4").tobytes()
