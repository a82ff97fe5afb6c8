"""Each loss again as loops over anchors, positives and negatives in float64, written from the papers."""

import math

import numpy as np


def distance_of(a, b, kind):
    if kind == "cosine":
        return 1.0 - float(a @ b) / (np.linalg.norm(a) * np.linalg.norm(b))
    squared = float(np.sum((a - b) ** 2))
    return squared if kind == "squared_l2" else math.sqrt(squared)


def anchors_of(labels, views):
    """Yield (anchor, positives, negatives) as indices, once for each way in which the views are compared."""
    for cross in {"any": (False,), "cross": (True,), "both": (False, True)}[views]:
        for i, (identity, view) in enumerate(labels):
            others = [j for j in range(len(labels)) if j != i and not (cross and labels[j][1] == view)]
            positives = [j for j in others if labels[j][0] == identity]
            negatives = [j for j in others if labels[j][0] != identity]
            yield i, positives, negatives


def mean(values):
    return sum(values) / len(values) if values else 0.0


def contrastive_cost(d, same, margin, form):
    margin = math.sqrt(2) if margin == "auto" else margin
    short = max(margin - d, 0.0)
    if form == "linear":
        return d if same else short
    return (0.5 if form == "hadsell" else 1.0) * (d**2 if same else short**2)


def contrastive(same, distances, margin=2.0, form="published"):
    return mean([contrastive_cost(d, s, margin, form) for s, d in zip(same.ravel(), distances.ravel(), strict=True)])


def batch_contrastive(labels, rows, margin=2.0, form="published", average="valid", views="any"):
    positive, negative = [], []
    for i, positives, negatives in anchors_of(labels, views):
        positive += [contrastive_cost(distance_of(rows[i], rows[j], "l2"), True, margin, form) for j in positives]
        negative += [contrastive_cost(distance_of(rows[i], rows[j], "l2"), False, margin, form) for j in negatives]
    if average == "valid":
        return mean(positive + negative)
    return mean([x for x in positive if x > 0]) + mean([x for x in negative if x > 0])


def triplet(labels, rows, mining="hard", margin=0.5, soft=False, distance="l2", average="valid", views="any"):
    losses = []
    for i, positives, negatives in anchors_of(labels, views):
        if not positives or not negatives:
            continue
        near = [distance_of(rows[i], rows[j], distance) for j in positives]
        far = [distance_of(rows[i], rows[j], distance) for j in negatives]
        if mining == "hard":
            gaps = [max(near) - min(far)]
        elif mining == "all":
            gaps = [p - n for p in near for n in far]
        else:
            gaps = []
            for p in near:
                beyond = [n for n in far if n > p]
                gaps.append(p - (min(beyond) if beyond else max(far)))
        losses += [math.log1p(math.exp(gap)) if soft else max(gap + margin, 0.0) for gap in gaps]
    return mean([x for x in losses if x > 0] if average == "active" else losses)


def over_anchors(labels, rows, views, cost):
    """Return the mean of cost(similarities to positives, similarities to negatives) over valid anchors."""
    losses = []
    for i, positives, negatives in anchors_of(labels, views):
        if positives and negatives:
            alike = [1.0 - distance_of(rows[i], rows[j], "cosine") for j in positives]
            unlike = [1.0 - distance_of(rows[i], rows[j], "cosine") for j in negatives]
            losses.append(cost(alike, unlike))
    return mean(losses)


def infonce(labels, rows, temperature=0.07, views="cross"):
    def cost(alike, unlike):
        others = sum(math.exp(s / temperature) for s in unlike)
        return mean([-math.log(math.exp(s / temperature) / (math.exp(s / temperature) + others)) for s in alike])

    return over_anchors(labels, rows, views, cost)


def supcon(labels, rows, temperature=0.1, views="any"):
    def cost(alike, unlike):
        everyone = sum(math.exp(s / temperature) for s in alike + unlike)
        return mean([-math.log(math.exp(s / temperature) / everyone) for s in alike])

    return over_anchors(labels, rows, views, cost)


def multi_similarity(labels, rows, alpha=2.0, beta=50.0, base=0.5, mining=True, epsilon=0.1, views="any"):
    def cost(alike, unlike):
        kept = [s for s in alike if s < max(unlike) + epsilon] if mining else alike
        kept_unlike = [s for s in unlike if s > min(alike) - epsilon] if mining else unlike
        pull = math.log(1 + sum(math.exp(-alpha * (s - base)) for s in kept)) / alpha
        return pull + math.log(1 + sum(math.exp(beta * (s - base)) for s in kept_unlike)) / beta

    return over_anchors(labels, rows, views, cost)


def circle(labels, rows, margin=0.4, scale=80.0, views="any", paced_by=None):
    """As published; the weights come from the rows `paced_by`, which are the rows themselves if not given."""
    paced_by = rows if paced_by is None else paced_by
    losses = []
    for i, positives, negatives in anchors_of(labels, views):
        if positives and negatives:
            pull = push = 0.0
            for j in positives:
                weight = max(1 + margin - (1.0 - distance_of(paced_by[i], paced_by[j], "cosine")), 0.0)
                pull += math.exp(-scale * weight * (1.0 - distance_of(rows[i], rows[j], "cosine") - (1 - margin)))
            for j in negatives:
                weight = max(1.0 - distance_of(paced_by[i], paced_by[j], "cosine") + margin, 0.0)
                push += math.exp(scale * weight * (1.0 - distance_of(rows[i], rows[j], "cosine") - margin))
            losses.append(math.log(1 + pull * push))
    return mean(losses)


def cosines_of(rows, proxies):
    return np.array([[1.0 - distance_of(row, proxy, "cosine") for proxy in proxies] for row in rows])


def proxy_anchor(labels, rows, proxies, margin=0.1, alpha=32.0):
    cosines = cosines_of(rows, proxies)
    pulls, pushes = [], []
    for c in range(len(proxies)):
        own = [s for s, (identity, _) in zip(cosines[:, c], labels, strict=True) if identity == c]
        others = [s for s, (identity, _) in zip(cosines[:, c], labels, strict=True) if identity != c]
        if own:
            pulls.append(math.log(1 + sum(math.exp(-alpha * (s - margin)) for s in own)))
        pushes.append(math.log(1 + sum(math.exp(alpha * (s + margin)) for s in others)))
    return mean(pulls) + mean(pushes)


def margin_softmax(labels, rows, proxies, turn, scale):
    losses = []
    for cosines, (identity, _) in zip(cosines_of(rows, proxies), labels, strict=True):
        logits = [scale * (turn(c) if k == identity else c) for k, c in enumerate(cosines)]
        losses.append(math.log(sum(math.exp(x) for x in logits)) - logits[identity])
    return mean(losses)


def arcface(labels, rows, proxies, margin=0.5, scale=64.0):
    def turn(cosine):
        angle = math.acos(cosine)
        return math.cos(angle + margin) if angle + margin < math.pi else cosine - margin * math.sin(margin)

    return margin_softmax(labels, rows, proxies, turn, scale)


def cosface(labels, rows, proxies, margin=0.35, scale=64.0):
    return margin_softmax(labels, rows, proxies, lambda cosine: cosine - margin, scale)
