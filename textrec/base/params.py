"""Parameters: each section of params.yaml is a typed class beside the code that uses it, checked when it is loaded."""

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from textrec.base.runtime import TextrecError

Section = TypeVar("Section", bound="Params")


class Params(BaseModel):
    """Base of every section: no unknown keys, no silent conversion, immutable. Values live in params.yaml alone."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def load(name: str, section: type[Section], path: str | Path = "params.yaml") -> Section:
    """Read section `name` of the parameter file.

    Raises TextrecError, one line for all that is wrong: the file, each key, its value and what is allowed.
    """
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TextrecError(f"{path}: not found; run from the folder that holds it") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TextrecError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(document, dict) or name not in document:
        raise TextrecError(f"{path}: section '{name}' is missing; restore it, the file in git has every section")
    return validate(document[name], section, where=f"{path}: {name}")


def validate(values: Any, section: type[Section], *, where: str) -> Section:
    """Check plain values against a section's class; `where` begins the message of the TextrecError."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        raise TextrecError("; ".join(_explain(problem, section, where) for problem in error.errors())) from None


def not_a_parameter(key: str, known: Collection[str]) -> str:
    """The message for a dotted `key` whose last part is none of the `known` names."""
    close = difflib.get_close_matches(key.rpartition(".")[2], known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
    return f"{key} is not a parameter; {hint}"


def _explain(problem: Any, section: type[Params], where: str) -> str:
    location = [str(part) for part in problem["loc"]]
    key = ".".join([where, *location])
    if problem["type"] == "extra_forbidden":
        return not_a_parameter(key, sorted(_fields(section, location[:-1])))
    if problem["type"] == "missing":
        return f"{key} is missing; restore it, the file in git has every key"
    reason = problem["msg"][0].lower() + problem["msg"][1:]
    number = isinstance(problem["input"], str) and problem["type"] in {"float_type", "int_type"}
    hint = " (YAML reads 1e-3 as text: write 0.001)" if number else ""
    return f"{key} is {problem['input']!r}: {reason}{hint}"


def _fields(section: type[Params], location: list[str]) -> set[str]:
    """Names of the parameters at `location` inside a section, for a 'did you mean'."""
    for part in location:
        annotation = section.model_fields[part].annotation if part in section.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, Params)):
            return set()
        section = annotation
    return set(section.model_fields)
