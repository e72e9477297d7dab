"""The exception for a user's mistake, and the lists in its messages.

A message names the bad value, the allowed form and the next step, and a setting by its name in
backticks, as `learning_rate`. Command lines write the flag instead, `--learning-rate`, print the
message after `error:`, without a traceback, and exit with status 2. Any other exception is a bug of
this package and keeps its traceback.
"""

from collections.abc import Iterable


class InputError(ValueError):
    """A path, label, setting or recording given by the user cannot be used."""


def format_list(items: Iterable, most: int = 10) -> str:
    """Return the items one a line, indented; beyond `most` items, a count of the rest.

    >>> print(format_list(["a", "b", "c"], most=2))
      a
      b
      … and 1 more
    """
    items = [str(item) for item in items]
    lines = [f"  {item}" for item in items[:most]]
    if len(items) > most:
        lines.append(f"  … and {len(items) - most} more")
    return "\n".join(lines)
