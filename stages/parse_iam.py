"""Parse IAM's XML to forms."""

from textrec.iam import CORRECTIONS, IamParams, Report, parse_forms
from textrec.params import load
from textrec.records import write_forms
from textrec.runtime import run, write_json


def main() -> None:
    """Write the forms, and the report of what was kept and dropped."""
    skip = load("parse_iam", IamParams).on_bad_line == "skip"
    report = Report()
    forms = parse_forms("data/raw/iamdb.zip", CORRECTIONS, skip_bad_lines=skip, report=report)
    write_forms("data/interim/iam.jsonl", forms)
    write_json("metrics/iam.json", report.metrics())


if __name__ == "__main__":
    run(main)
