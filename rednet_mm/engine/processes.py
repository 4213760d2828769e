"""Several processes where there is no GPU."""

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed


def prepare_processes(cfg: Config) -> None:
    """Let MMEngine run several processes on CPUs, before the runner is built.

    MMEngine's launcher wants a GPU, for the group of processes and for the
    model's wrapper. Where there is none, the group is made here, of gloo,
    and the wrapper is told that there are no devices. With a GPU, or in one
    process, nothing is changed.

    Args:
        cfg (Config): With ``launcher``; changed in place.
    """
    if cfg.get('launcher') != 'pytorch' or torch.cuda.is_available():
        return
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
    )
    if not is_distributed():
        # Addresses and ranks are in the environment, as torchrun sets them.
        torch.distributed.init_process_group('gloo')
