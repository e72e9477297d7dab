"""The published numbers agree with the paper's text."""

from adff_tf.paper.published import TABLE1, TABLE3


def test_the_numbers_make_the_percentages_that_the_paper_prints():
    """The paper's text gives relative gains of R², which follow from its tables."""

    def gain(ours, theirs):
        return round(100 * (ours.mean / theirs.mean - 1), 2)

    valence, arousal = ("valence", "r2"), ("arousal", "r2")
    assert gain(TABLE1["ADFF"][valence], TABLE1["EmoMucs"][valence]) == 10.43
    assert gain(TABLE1["ADFF"][arousal], TABLE1["EmoMucs"][arousal]) == 4.82
    assert gain(TABLE1["ADFF"][valence], TABLE1["w/o SE"][valence]) == 5.61
    assert gain(TABLE1["ADFF"][valence], TABLE1["w/o TFLM"][valence]) == 10.11
    assert gain(TABLE3[5.0]["full", *valence], TABLE3[5.0]["simple", *valence]) == 30.21
    assert gain(TABLE3[10.0]["full", *valence], TABLE3[10.0]["simple", *valence]) == 35.91
