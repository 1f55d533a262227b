#!/usr/bin/env bash
# Make the line finder that textrec brings along, models/pages.ckpt, from the archives in one folder.
#
# Usage: recipes/finder.sh ARCHIVES
#
# ARCHIVES holds the five corpora of transcribed pages that models/latin.md names, split as recipes/latin_splits.tsv has
# it. IAM may lie there, too: nothing is learned from it. Broken off, the same command goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
archives=$(realpath "${1:?usage: recipes/finder.sh ARCHIVES}")

options=(
  -S data.source=local
  -S "data.path=$archives"
  -S 'data.ground_truth=[copiste.zip,mss19.zip,peraire.zip,poilus.zip,stanford.zip]'
  -S parse_iam.on_bad_line=skip
  -S import_pages.on_bad_input=skip
  -S import_layouts.forms=false
  -S train_finder.epochs=36
  -S train_finder.batch_size=4
  -S train_finder.size=512
  -S train_finder.ema_decay=0.998
)

begun=$SECONDS
dvc exp run "${options[@]}" train_finder
cp models/finder.ckpt models/pages.tmp
mv models/pages.tmp models/pages.ckpt
echo "pages: $(((SECONDS - begun) / 60)) minutes"
