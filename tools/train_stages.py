"""Train a config and the stages before it, one after the other:

python tools/train_stages.py configs/rednet_resnet_300vw.py [options]
"""

import argparse
import os.path as osp

from mmengine.config import DictAction

from rednet_mm.engine.scaling import read_scale
from rednet_mm.engine.stages import (
    final_checkpoint,
    read_stages,
    train_stage,
)
from rednet_mm.utils.cli import report_user_errors


def parse_args() -> tuple[argparse.Namespace, list[str]]:
    """What is for this tool, and what is for each stage's training."""
    parser = argparse.ArgumentParser(
        description='Train a config and the stages before it; the same '
        'command goes on where it stopped. Other options are those of '
        'tools/train.py, for every stage'
    )
    parser.add_argument('config', help='config of the last stage')
    parser.add_argument(
        '--work-dirs',
        default='work_dirs',
        help='each stage gets a folder in here (default: work_dirs)',
    )
    parser.add_argument(
        '--scale',
        help='a smaller experiment, for instance '
        'configs/ablations/scales/small.py',
    )
    parser.add_argument(
        '--gpus', type=int, default=0, help='how many GPUs; 0: one process'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings to override, key=value, in the stages that have the '
        'part they are of',
    )
    return parser.parse_known_args()


def main() -> None:
    args, options = parse_args()
    with report_user_errors('interrupted; the same command goes on'):
        scale = read_scale(args.scale) if args.scale else None
        stages = read_stages(args.config, scale, args.cfg_options)
        checkpoint = None
        for number, stage in enumerate(stages, 1):
            name = osp.splitext(osp.basename(stage.path))[0]
            work_dir = osp.join(args.work_dirs, name)
            head = f'== stage {number} of {len(stages)}: {stage.path}'
            if final_checkpoint(stage.cfg, work_dir):
                print(f'{head}: trained already', flush=True)
            else:
                print(f'{head}, from {checkpoint or "its own start"}')
                for key in stage.options:
                    print(f'   with {key}={args.cfg_options[key]}')
                print(f'   into {work_dir}', flush=True)
            checkpoint = train_stage(
                stage, work_dir, checkpoint, args.gpus, options
            )
        print(f'trained: {checkpoint}')


if __name__ == '__main__':
    main()
