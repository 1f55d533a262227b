"""The embedded sample: people who do not exist write text that is free, with pens over stroke fonts.

In: numbers of forms and a seed. Out: archives as IAM, EMNIST and IAM-OnDB are laid out. It uses `base`.
"""
