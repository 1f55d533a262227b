"""The section `charset` as git has it, and others."""

from typing import Any

import yaml
from repository import ROOT

from textrec.base.charset import CharsetParams
from textrec.base.params import load, validate

DEFAULTS = load("charset", CharsetParams, ROOT / "params.yaml")


def charset_params(**changes: Any) -> CharsetParams:
    return validate(DEFAULTS.model_dump() | changes, CharsetParams, where="params.yaml: charset")


CHARSET_YAML = yaml.safe_dump({"charset": DEFAULTS.model_dump()}, sort_keys=False)  # for a params.yaml
IAM = charset_params(characters="iam", on_unknown="error")
