"""What may be found in a photo: a number that a graph can give, and its words."""

FINDINGS = ("one hand", "no hand", "several hands", "a hand cut off by the border")
ONE, NONE, SEVERAL, CUT_OFF = range(len(FINDINGS))
