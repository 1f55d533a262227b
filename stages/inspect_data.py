"""Look at the health of the data: labels that are likely wrong, samples unlike the others, what was dropped."""

from textrec.base.charset import CharsetParams
from textrec.base.params import load
from textrec.base.records import SPLITS
from textrec.base.runtime import run
from textrec.datasets.iam import CORRECTIONS, Report, parse_forms
from textrec.datasets.mixing import Mixtures
from textrec.datasets.samples import read_split
from textrec.reports import health
from textrec.reports.dropped import OF_IAM, counted
from textrec.training.recipe import TrainParams

ARCHIVE = "data/raw/iamdb.zip"


def main() -> None:
    """Write reports/data.html, and the labels to check as data."""
    # Not above: torch takes seconds to import, in which Ctrl-C must be answered as well.
    from textrec.network.devices import best_device
    from textrec.network.trained import PredictParams, TrainedModel
    from textrec.reports.labels import judge

    params, batch_size = load("inspect_data", health.InspectData), load("predict", PredictParams).batch_size
    dataset = load("train", TrainParams).data
    data = f"data/processed/{dataset}.h5"
    trained = TrainedModel.load("models/model.ckpt", device=best_device())
    splits = {split: read_split(data, split) for split in SPLITS}
    judgements = {split: judge(trained, part, batch_size=batch_size) for split, part in splits.items()}
    labels = health.examine(splits, judgements)

    report = Report()  # of all ids; parse_iam, which would have stopped at a bad line or not, names only few
    charset = load("charset", CharsetParams)
    parsed = parse_forms(ARCHIVE, CORRECTIONS, charset=charset, skip_bad_lines=True, report=report)
    datasets = load("mix", Mixtures).datasets(dataset)
    forms = list(parsed) if OF_IAM & datasets else []
    form_ids = {name: form.id for form in forms for name in (form.id, *(line.id for line in form.lines))}
    found = [(label, health.correction_rows(label, form_ids)) for label in health.suspects(labels, params.worst)]
    health.write_suspects("reports/suspects.jsonl", found)
    about = {"forms": forms, "report": report, "archive": ARCHIVE, "left_out": counted(datasets, "metrics")}
    health.health_page("reports/data.html", splits, labels, found, **about, examples=params.examples)
    print(f"{len(labels)} labels looked at, {len(found)} to check in reports/data.html")


if __name__ == "__main__":
    run(main)
