#!/bin/sh
# Lines of glyphs, then real lines, then paragraphs: three experiments, each begun with the model of the one before.
#
#     benchmarks/curriculum.sh [-S name=value ...]     options of all three, say -S train.trainer.max_epochs=60
#
# The models are left in models/, the measures in `dvc exp show`. What was run before is not run again.
set -eu
dvc exp run -S train.data=emnist_lines -S train.init=models/none "$@"
cp models/model.ckpt models/glyph-lines.ckpt
dvc exp run -S train.data=iam_lines -S train.init=models/glyph-lines.ckpt "$@"
cp models/model.ckpt models/lines.ckpt
dvc exp run -S train.data=iam_and_synth_paragraphs -S train.init=models/lines.ckpt "$@"
cp models/model.ckpt models/paragraphs.ckpt
