"""Parse IAM's XML to forms."""

from textrec.base.charset import CharsetParams
from textrec.base.params import load
from textrec.base.records import write_forms
from textrec.base.runtime import run, tell_dropped, write_json
from textrec.datasets.iam import CORRECTIONS, IamParams, Report, parse_forms


def main() -> None:
    """Write the forms, and the report of what was kept and dropped."""
    charset, skip = load("charset", CharsetParams), load("parse_iam", IamParams).on_bad_line == "skip"
    report = Report()
    forms = parse_forms("data/raw/iamdb.zip", CORRECTIONS, charset=charset, skip_bad_lines=skip, report=report)
    write_forms("data/interim/iam.jsonl", forms)
    write_json("metrics/iam.json", report.metrics())
    tell_dropped(report.dropped(), see="metrics/iam.json")


if __name__ == "__main__":
    run(main)
