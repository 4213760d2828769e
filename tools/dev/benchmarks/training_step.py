"""A training step on made-up clips, shared by the benchmarks beside it."""

import argparse

import torch
from mmengine.config import Config, DictAction
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

import rednet_mm  # noqa: F401
from rednet_mm.utils.cli import existing_config


def add_config_arguments(
    parser: argparse.ArgumentParser, default: str
) -> None:
    """``--config``, with a default, and ``--cfg-options`` as in MMPose."""
    parser.add_argument('--config', default=default)
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='settings to override, key=value',
    )


def read_config(args: argparse.Namespace) -> Config:
    """The config that :func:`add_config_arguments` asked for.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    cfg = Config.fromfile(existing_config(args.config))
    cfg.merge_from_dict(args.cfg_options or {})
    init_default_scope(cfg.default_scope)
    return cfg


def default_device() -> str:
    return 'cuda' if torch.cuda.is_available() else 'cpu'


class TrainingStep:
    """A model, its optimizer and random clips; a call is one step.

    Args:
        cfg (Config): With ``model``, ``optim_wrapper`` and ``codec``.
        clips (int): B.
        frames (int): T.
        device (str): Where all of it lies.
    """

    def __init__(
        self, cfg: Config, clips: int, frames: int, device: str
    ) -> None:
        torch.manual_seed(0)
        with torch.device(device):
            self.model = MODELS.build(cfg.model).train()
        self.optim_wrapper = build_optim_wrapper(self.model, cfg.optim_wrapper)
        width, height = cfg.codec.input_size
        self.clips = torch.randn(
            clips, frames, 3, height, width, device=device
        )
        self.samples = [
            self._sample(width, height).to(device)
            for _ in range(clips * frames)
        ]

    @staticmethod
    def _sample(width: int, height: int) -> PoseDataSample:
        """Marks at random places of the input, as a dataloader ships them."""
        size = torch.tensor([width, height])
        labels = InstanceData()
        labels.keypoint_labels = torch.rand(1, 68, 2) * (size - 1)
        labels.keypoint_weights = torch.ones(1, 68)
        sample = PoseDataSample(gt_instance_labels=labels)
        sample.set_metainfo(dict(subject_label=0))
        return sample

    def __call__(self) -> None:
        losses = self.model(self.clips, self.samples, mode='loss')
        self.optim_wrapper.update_params(sum(losses.values()))
