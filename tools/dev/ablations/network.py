"""A network alone: its size and its speed."""

import copy
import statistics
import time

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS


def measure_network(cfg: Config) -> dict[str, float]:
    """Megabytes of the weights, and milliseconds a frame at batch 1.

    The identity head, which no test needs, does not count. The time is the
    median of ten calls of ``step``, after three.
    """
    init_default_scope('mmpose')
    settings = copy.deepcopy(cfg.model)
    settings.pop('identity_head', None)
    settings.backbone.pop('init_cfg', None)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = MODELS.build(settings).to(device).eval()
    width, height = cfg.codec.input_size
    frame = torch.rand(1, 3, height, width, device=device)
    state, seconds = None, []
    with torch.no_grad():
        for _ in range(13):
            start = time.perf_counter()
            _, state = model.step(frame, state)
            if device == 'cuda':
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    return dict(mb=weights / 1e6, ms=1e3 * statistics.median(seconds[3:]))
