"""Write the weights of a checkpoint as they are published:

python tools/dev/publish_weights.py CONFIG CHECKPOINT OUT.safetensors

Without optimizer, logs and what only training needs; kernels in half
precision, the rest (a hundredth of it) in single precision.
"""

import argparse
import os
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import load_state_dict
from mmpose.apis import init_model
from torch import Tensor, nn

from rednet_mm.datasets.metainfo import FACE_68
from rednet_mm.utils.checkpoint import (
    check_weights,
    read_checkpoint,
    state_dict_of,
)
from rednet_mm.utils.cli import (
    check_suffix,
    existing_config,
    report_user_errors,
)
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.safetensors_file import SUFFIX, write_safetensors

# Read by training and by nobody afterwards.
TRAINING_ONLY = ('identity_head.',)


def smaller(model: nn.Module) -> dict[str, Tensor]:
    """What a model needs at test time, kernels in half precision."""
    kernels = {
        name for name, value in model.named_parameters() if value.dim() > 1
    }
    return {
        name: value.half() if name in kernels else value
        for name, value in model.state_dict().items()
        if not name.startswith(TRAINING_ONLY)
    }


def publish(config: str, checkpoint: str, out: str) -> None:
    """Write ``out`` complete or not at all.

    Raises:
        FileNotFoundError: if config or checkpoint is not there.
        UserError: if they do not fit, or are not of 68 landmarks.
    """
    check_suffix('OUT', out, SUFFIX)
    cfg = Config.fromfile(existing_config(config))
    model = init_model(cfg, None, 'cpu')
    if model.head.num_keypoints != 68:
        raise UserError(f'{config} is not of 68 landmarks')
    loaded = read_checkpoint(checkpoint)
    weights = state_dict_of(loaded)
    check_weights(model, weights, checkpoint, 'test')
    # A checkpoint in an earlier layout is written in today's.
    load_state_dict(model, weights)
    meta = loaded.get('meta', {})
    # What was noted of the run; before 0.1.0 in the config alone.
    trained = Config.fromstring(meta['cfg'], '.py') if 'cfg' in meta else {}
    run = meta.get('environment') or trained.get('run_info', {})
    about = dict(
        config=Path(config).name,
        epoch=meta.get('epoch'),
        seed=meta.get('seed'),
        run=dict(run or meta.get('run', {})),
        use='research only, as the data; see the model card',
        metainfo=FACE_68,
    )
    write_safetensors(out, smaller(model), about)


def main() -> None:
    parser = argparse.ArgumentParser(
        description='Write the weights of a checkpoint as they are published'
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('out', help=f'the file to write, {SUFFIX}')
    args = parser.parse_args()
    with report_user_errors():
        publish(args.config, args.checkpoint, args.out)
    print(f'{args.out}: {os.path.getsize(args.out) / 1e6:.1f} MB')


if __name__ == '__main__':
    main()
