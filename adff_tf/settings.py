"""The base of all settings: frozen, typed groups whose wrong values are told one a line."""

import pydantic

TAGS = (
    "adff",
    "emomucs",
    "mlem",
    "musicnn-linear",
)  # of the networks' settings, which pydantic puts into places


def list_problems(error: pydantic.ValidationError) -> list[str]:
    """Return one text per invalid setting: its name, the value given and the allowed form."""
    return [_problem(found) for found in error.errors()]


def explain(error: pydantic.ValidationError) -> str:
    """Return the problems of `list_problems`, one a line, indented."""
    return "\n".join(f"  {problem}" for problem in list_problems(error))


def _problem(found) -> str:
    parts = [str(part) for part in found["loc"] if part not in TAGS]
    name, message = ".".join(parts), found["msg"].removeprefix("Value error, ")
    if found["type"] == "extra_forbidden":
        message = "no such setting"
    elif found["type"] not in ("value_error", "json_invalid"):
        message += f"; given {found['input']!r}"
    return f"{name}: {message}" if name else message


class Settings(pydantic.BaseModel):
    """A frozen group of settings that refuses unknown names."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs):
        for field in cls.model_fields.values():  # --help wraps lines itself
            field.description = field.description and " ".join(field.description.split())
