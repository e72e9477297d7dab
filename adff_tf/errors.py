"""The one exception a user's mistake raises.

A message says what was given, what is allowed and what to do next. Command lines print it after `error:` and exit with
status 2, without a traceback; any other exception is a bug of ours and keeps its traceback.
"""


class InputError(ValueError):
    """Something the user gave cannot be used: a path, a label, a setting, a recording."""


def format_list(items, most: int = 10) -> str:
    """The items one a line, indented; beyond `most` of them a count of the rest.

    >>> print(listed(["a", "b", "c"], most=2))
      a
      b
      … and 1 more
    """
    items = [str(item) for item in items]
    lines = [f"  {item}" for item in items[:most]]
    if len(items) > most:
        lines.append(f"  … and {len(items) - most} more")
    return "\n".join(lines)
