"""Columns and rows in one form for every reader, so that they can be compared."""

import datetime

PYTHON_TYPES = {
    "BIGINT": int,
    "DOUBLE": float,
    "DATE": datetime.date,
    "TIMESTAMP": datetime.datetime,
    "VARCHAR": str,
}


def answer(names, types, rows):
    """Types are those above, or another word of the reader's own. Rows are tuples of Python values."""
    columns = [{"name": name, "type": type} for name, type in zip(names, types)]
    return {
        "columns": columns,
        "rows": [[neutral(*each) for each in zip(row, types)] for row in rows],
    }


def neutral(value, type):
    """Only doubles are numbers in JSON: JavaScript reads them exactly. A value of another type than the column's is an error."""
    if value is None:
        return None
    if value.__class__ is not PYTHON_TYPES.get(type):
        raise TypeError(f"{value!r} in a column of type {type}")
    if type == "DOUBLE" or type == "VARCHAR":
        return value
    if type == "TIMESTAMP":
        return value.isoformat(sep=" ", timespec="microseconds")
    return str(value)


def typed(value, type):
    """The other way round."""
    if type == "BIGINT":
        return int(value)
    if type == "DATE":
        return datetime.date.fromisoformat(value)
    if type == "TIMESTAMP":
        return datetime.datetime.fromisoformat(value)
    return value
