#!/usr/bin/env bash
# Make the model that textrec brings along, models/latin.ckpt, from the archives in one folder.
#
# Usage: recipes/latin.sh ARCHIVES [CORPUS ...]
#
# ARCHIVES holds what models/latin.md names: fonts or fonts.zip, the prose english.txt and french.txt, and five corpora of
# transcribed pages, each a zip file of NAME/SPLIT/DOCUMENT/*, split as recipes/latin_splits.tsv has it. IAM may lie
# there, too: nothing is learned from it. With each CORPUS the model learns from these alone of the five, as one that is to
# meet the others as a stranger.
#
# Each step is a `dvc exp run`, whose model is kept as models/STEP.ckpt. Broken off, the same command goes on: a step that
# is done is not done again, and one that was training goes on from its last checkpoint. It says how long each took.
set -euo pipefail
cd "$(dirname "$0")/.."
archives=$(realpath "${1:?usage: recipes/latin.sh ARCHIVES [CORPUS ...]}")
corpora=("${@:2}")
((${#corpora[@]})) || corpora=(copiste mss19 peraire poilus stanford)
fonts=$archives/fonts
[ -e "$fonts" ] || fonts=$archives/fonts.zip

data=(
  -S data.source=local
  -S "data.path=$archives"
  -S "data.ground_truth=[$(IFS=, && echo "${corpora[*]/%/.zip}")]"
  -S "data.fonts=$fonts"
  -S "data.corpus=[$archives/english.txt,$archives/french.txt]"
  -S charset.characters=latin
  -S charset.on_unknown=skip
  -S parse_iam.on_bad_line=skip
  -S import_pages.on_bad_input=skip
  -S 'draw_fonts.count={train: 60000, val: 500, test: 100, hand: 20}'
  -S 'draw_hands.count={train: 20000, val: 500, test: 100, hand: 20}'
  -S 'mix.latin_lines={train: {page_lines: 2.2, font_lines: 0.4, drawn_lines: 0.3}, measure: page_lines}'
  -S train.data=latin_lines
  -S train.batch_size=32
  -S train.trainer.limit_train_batches=500
  -S train.trainer.check_val_every_n_epoch=8
)

# step NAME OPTION...: train, unless models/NAME.ckpt is there.
step() {
  local name=$1 begun=$SECONDS
  shift
  if [ ! -e "models/$name.ckpt" ]; then
    dvc exp run "${data[@]}" "$@" train
    cp models/model.ckpt "models/$name.tmp"
    mv "models/$name.tmp" "models/$name.ckpt"
    echo "$name: $(((SECONDS - begun) / 60)) minutes"
  fi
}

step latin-1 -S train.lr=0.002 -S train.plain=0.08 -S train.trainer.max_epochs=16
# Other lines, on whiter paper, as pages come by now; and real lines more often.
step latin-2 -S train.init=models/latin-1.ckpt -S train.lr=0.002 -S train.plain=0.06 -S train.trainer.max_epochs=20 \
  -S train.trainer.check_val_every_n_epoch=10 -S draw_fonts.seed=2 -S draw_hands.seed=2 -S draw_lines.paper.grey=0.1 \
  -S 'mix.latin_lines={train: {page_lines: 3.6, font_lines: 0.4, drawn_lines: 0.2}, measure: page_lines}'
# Real lines more often still. In the model that is brought along the two before learned from lines with smaller letters.
step latin-3 -S train.init=models/latin-2.ckpt -S train.lr=0.002 -S train.plain=0.08 -S train.trainer.max_epochs=30 \
  -S train.trainer.check_val_every_n_epoch=10 -S draw_fonts.seed=3 -S draw_hands.seed=3 -S draw_lines.paper.grey=0.1 \
  -S 'mix.latin_lines={train: {page_lines: 4.0, font_lines: 0.4, drawn_lines: 0.15}, measure: page_lines}'
cp models/latin-3.ckpt models/latin.ckpt
