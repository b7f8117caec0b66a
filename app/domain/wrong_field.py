"""Errors about a whole description that belong to one of its fields."""

from pydantic_core import PydanticCustomError


def wrong_field(field: str | tuple[str, ...], message: str) -> PydanticCustomError:
    """To be raised by a validator of a model; the API's pointer then names the field.

    Several name a field of a field.
    """
    return PydanticCustomError("field", "{message}", {"message": message, "field": field})
