"""The recogniser: batches, encoder, decoder, decoding, calibration, and the checkpoint that holds it all.

In: sample files, or crops. Out: texts with their confidences. It uses `datasets` and what is below.
"""
