"""Archives to sample files, the one on-disk contract of every dataset.

In: archives, corrections. Out: data/processed/*.h5. It uses `archives`, `pages`, `drawn` and `base`.
"""
