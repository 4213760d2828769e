# mypy: ignore-errors
"""A checkpoint of train.py as one of tools/train.py: convert.py IN OUT."""

import sys

import torch

import rednet_mm  # noqa: F401  (what checkpoints may hold)

saved = torch.load(sys.argv[1], weights_only=True)
weights = {
    name.removeprefix('model.'): value
    for name, value in saved['net'].items()
    if name.startswith('model.')
}
meta = dict(seed=saved['args']['seed'], iterations=saved['it'])
torch.save(dict(state_dict=weights, meta=meta), sys.argv[2])
