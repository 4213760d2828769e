"""Write the validation metrics of a training, epoch by epoch, as Markdown:

python tools/analysis_tools/learning_curve.py WORK_DIR [--out TABLE.md]
"""

import argparse
import json
from pathlib import Path

from mmengine.config import Config

from rednet_mm.utils.cli import report_user_errors

COLUMNS = {
    'face/NME': 'mean error',
    'face/NME_std': 'std',
    'face/failure_rate': 'failures > 10 %',
    'face/AUC@8': 'AUC@8',
}


def read_epochs(work_dir: Path) -> dict[int, dict[str, float]]:
    """Validation metrics by epoch, from the logs of all its runs in order.

    Raises:
        FileNotFoundError: if there is no validation in the folder.
    """
    epochs = {}
    for log in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in log.read_text().splitlines():
            record = json.loads(line)
            if 'face/NME' in record:
                epochs[int(record['step'])] = record
    if not epochs:
        raise FileNotFoundError(
            f'{work_dir} holds no validation; name the --work-dir of a '
            'training that has finished an epoch'
        )
    return epochs


def as_markdown(work_dir: Path) -> str:
    """The table, headed by config, data, seed, commit and machine."""
    epochs = read_epochs(work_dir)
    dumped = next(iter(sorted(work_dir.glob('*.py'))), None)
    if dumped is None:
        raise FileNotFoundError(
            f'{work_dir} has no config; name the --work-dir of a training'
        )
    cfg = Config.fromfile(dumped, import_custom_modules=False)
    about = dict(cfg.get('run_info', {}))
    data = cfg.val_dataloader.dataset.ann_file
    lines = [
        f'`{dumped.name}`, validated on `{data}`, seed '
        f'{cfg.randomness.get("seed")}, '
        + ', '.join(f'{name} {value}' for name, value in about.items())
        + '. All metrics in %, norm '
        + f'`{cfg.val_evaluator.get("norm", "outer_eyes")}`.',
        '',
        '| epoch | ' + ' | '.join(COLUMNS.values()) + ' |',
        '|' + '---|' * (1 + len(COLUMNS)),
    ]
    for epoch, metrics in sorted(epochs.items()):
        cells = ' | '.join(f'{metrics[name]:.2f}' for name in COLUMNS)
        lines.append(f'| {epoch} | {cells} |')
    return '\n'.join(lines) + '\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('work_dir', type=Path, help='folder of a training')
    parser.add_argument('--out', type=Path, help='also write it here')
    args = parser.parse_args()
    with report_user_errors():
        table = as_markdown(args.work_dir)
    print(table, end='')
    if args.out:
        args.out.write_text(table)


if __name__ == '__main__':
    main()
