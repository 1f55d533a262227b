from textrec.reports.summary import summary


def test_the_summary_shows_rates_with_their_intervals_and_the_most_frequent_errors() -> None:
    row = {"lines": "all", "decoder": "joint", "samples": 7, "perfect": 0.5, "samples_per_second": 12.34}
    row |= {"cer": 0.05, "cer_low": 0.04, "cer_high": 0.06, "wer": 0.2, "wer_low": 0.1, "wer_high": 0.3}
    row |= {"cer_above": 0.01, "cer_above_low": -0.02, "cer_above_high": 0.03}
    writers = [{"writer": f"w{i}", "cer": 0.3 - i / 10} for i in range(3)]
    lengths = [{"from": 1, "to": 10, "cer": 0.125}]
    confusions = [{"kind": "substitution", "truth": "e", "read": "o", "count": 3}]
    confusions += [{"kind": "deletion", "truth": "l", "read": "", "count": 2}]
    decoders = [row, row | {"lines": "listed", "decoder": "ar"}]
    tables = {"decoders": decoders, "writers": writers, "lengths": lengths, "confusions": confusions}
    confidence = {"ece_characters": 0.0123, "ece_samples": 0.02, "cer_at_90": 0.03, "cer_at_80": 0.02}
    lines = summary(tables, {"cer": 0.05, "confidence": confidence}).splitlines()
    rates = "5.00% [4.00%, 6.00%] +1.00% [-2.00%, +3.00%] 20.00% [10.00%, 30.00%]"
    assert " ".join(lines[1].split()) == f"all joint {rates} 50.0% 7 12.3"
    assert len({len(line) for line in lines[:3]}) == 1
    assert lines[4:] == [
        "CER by length: 1-10 12.5%",
        "CER by writer: median of 3 20.0%, highest w0 30.0%, w1 20.0%, w2 10.0%",
        "substitutions (3): e as o 3",
        "deletions (2): l 2",
        "insertions (0): none",
        "confidence: expected calibration error 1.23% of characters, 2.00% of samples",
        "reject the least sure 10 % of samples and CER goes from 5.00% to 3.00%; the least sure 20 %, to 2.00%",
    ]
