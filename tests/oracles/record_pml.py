"""Writes pml_more.json: numbers of pytorch-metric-learning 2.9.0 on torch 2.13 that pml_oracle.json does not have.

Command (in an environment with both): python tests/oracles/record_pml.py

Rows: `E` and `L` of oracle_input.npz. Proxies: numpy `default_rng(5).normal(size=(4, 8))` as float32. Each entry holds
the loss and its gradient by the rows; `xbm`: three steps with rows 0-7, 8-15 and 4-11, memory of 32, not yet full.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from pytorch_metric_learning import distances, losses, miners, reducers

HERE = Path(__file__).parent
INPUT = np.load(HERE / "oracle_input.npz")
PROXIES = torch.tensor(np.random.default_rng(5).normal(size=(4, 8)).astype("float32"))
L2 = distances.LpDistance(normalize_embeddings=False)
STEPS = ((0, 8), (8, 16), (4, 12))


def measure(loss, miner=None):
    rows, labels = torch.tensor(INPUT["E"], requires_grad=True), torch.tensor(INPUT["L"]).long()
    value = loss(rows, labels, miner(rows, labels)) if miner else loss(rows, labels)
    value.backward()
    return {"loss": float(value.detach()), "gradient": rows.grad.tolist()}


def with_proxies(loss, name, columns):
    setattr(loss, name, torch.nn.Parameter(PROXIES.T.clone() if columns else PROXIES.clone()))
    return loss


def memory_steps(loss):
    memory = losses.CrossBatchMemory(loss, 8, 32)
    rows, labels = torch.tensor(INPUT["E"]), torch.tensor(INPUT["L"]).long()
    return [float(memory(rows[a:b], labels[a:b])) for a, b in STEPS]


def triplets(margin, mean):
    reducer = reducers.MeanReducer() if mean else reducers.AvgNonZeroReducer()
    return losses.TripletMarginLoss(margin=margin, distance=L2, reducer=reducer)


def main():
    degrees = math.degrees(0.5)
    numbers = {
        "arcface": measure(with_proxies(losses.ArcFaceLoss(4, 8, margin=degrees, scale=64), "W", True)),
        "cosface": measure(with_proxies(losses.CosFaceLoss(4, 8, margin=0.35, scale=64), "W", True)),
        "proxy_anchor": measure(with_proxies(losses.ProxyAnchorLoss(4, 8), "proxies", False)),
        "multi_similarity": measure(losses.MultiSimilarityLoss(), miners.MultiSimilarityMiner(epsilon=0.1)),
        "triplet_hard": measure(triplets(0.5, True), miners.BatchHardMiner(distance=L2)),
        "triplet_all": measure(triplets(0.5, True)),
        "triplet_all_active": measure(triplets(0.5, False)),
        "supcon": measure(losses.SupConLoss(temperature=0.1)),
        "infonce": measure(losses.NTXentLoss(temperature=0.07)),
        "circle": measure(losses.CircleLoss()),
        "batch_contrastive": measure(losses.ContrastiveLoss(distance=L2)),
        "xbm": {
            "contrastive": memory_steps(losses.ContrastiveLoss(distance=L2)),
            "infonce": memory_steps(losses.NTXentLoss(0.07)),
        },
    }
    (HERE / "pml_more.json").write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
