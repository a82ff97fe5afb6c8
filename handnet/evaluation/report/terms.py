"""The terms of a report, each explained in a sentence where it stands."""

from collections.abc import Mapping

TERMS: Mapping[str, str] = {
    "R@1": "Recall at 1: the share of searches whose first result is the right person. R@5: among the first five.",
    "mean rank": "The place of the first right result, sorted by similarity, averaged over searches. 1 is perfect.",
    "median rank": "The place of the first right result in the middle search: half of all searches are better.",
    "mAP": "Mean average precision: 100 % where all photos of the right person come before all others.",
    "chance": "What a random order of the same gallery is expected to score, computed exactly.",
    "95 % interval": "How far the figure depends on who was tested, from bootstrap draws of people.",
    "dorsal": "The back of the hand.",
    "palmar": "The palm of the hand.",
    "gallery": "The photos, or people, that are searched.",
    "query": "The photo that is searched for.",
    "person templates": "All photos of a person in a view averaged: the published protocol. A user has one photo.",
    "EER": "The error rate at the threshold where false accepts and false rejects are equally frequent. 50 % is chance.",
    "AUC": "How often a pair of one person is more similar than a pair of two people. 50 % is chance.",
    "similarity": "The cosine of two photos' vectors: 1 for the same direction, 0 for nothing in common.",
    "threshold": "Pairs at or above this similarity are taken for one person's.",
    "false accept": "Two different people taken for one. Its rate is the FAR, also called FMR.",
    "false reject": "Two photos of one person taken for two people's. Its rate is the FRR, also called FNMR.",
    "open set": "A search in which the person may not be enrolled at all.",
    "FPIR": "False alarms: searches for somebody who is not enrolled that find somebody all the same.",
    "FNIR": "Misses: searches for somebody who is enrolled that do not find them.",
    "Cllr": "The cost of the stated probabilities in bits: 0 is perfect, 1 says no more than nothing at all.",
    "ECE": "Expected calibration error: how far the stated probability is from how often it was right, on average.",
    "ROC": "The share of right pairs accepted against the share of wrong pairs accepted, at every threshold.",
    "DET": "Both kinds of error against each other, on scales on which normal scores give a straight line.",
    "t-SNE": "A flat map that keeps neighbours together; distances between far points mean nothing.",
}
