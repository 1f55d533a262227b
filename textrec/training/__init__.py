"""Sample files to weights: samples made and changed anew, losses, the life of a run.

In: a sample file and the section `train`. Out: models/model.ckpt and its curves. It uses `network` and what is below.
"""
