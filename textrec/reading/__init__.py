"""Pictures and pages to texts: the recogniser as people use it, by torch or by onnxruntime.

In: a model and files. Out: readings. It uses `network`, `pages` and `base`.
"""
