"""Measure the bundled model and write its metrics into card and metafile:

python tools/analysis_tools/model_card.py

Runs tools/test.py on the validation parts of 300-W and YouTube Faces, in
data/300w and data/ytfaces (docs/reports/real_faces.md says how to make them).
What it prints there is what stands in the card, to the last digit.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from rednet_mm.utils.bundled import BundledModel, bundled_model
from rednet_mm.utils.cli import report_user_errors
from rednet_mm.utils.env import run_environment
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.io import atomic_write
from rednet_mm.utils.markdown import replace_section

ROOT = Path(__file__).resolve().parents[2]
METAFILE = ROOT / 'configs' / 'metafile.yml'
BEGIN, END = (
    '<!-- metrics: python tools/analysis_tools/model_card.py -->',
    '<!-- end -->',
)

# Name in the card: where tools/test.py finds it.
DATA = {
    '300-W, validation part, 147 faces': ('data/300w/', '300w_val.json'),
    'YouTube Faces, validation subjects, 428 frames': (
        'data/ytfaces/',
        'csv_val.json',
    ),
}

COLUMNS = {
    'face/NME': 'mean error',
    'face/NME_51': 'inner 51',
    'face/NME_std': 'std',
    'face/failure_rate': 'failures > 10 %',
    'face/AUC@8': 'AUC@8',
}


def options(root: str, file: str) -> list[str]:
    """What makes tools/test.py test on another data set."""
    data = 'test_dataloader.dataset'
    return [
        '--cfg-options',
        f'{data}.data_root={root}',
        f'{data}.ann_file=annotations/{file}',
    ]


def measure(model: BundledModel, root: str, file: str) -> dict[str, float]:
    """The metrics of tools/test.py.

    Raises:
        UserError: if it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / 'metrics.json'
        done = subprocess.run(
            [sys.executable, str(ROOT / 'tools' / 'test.py')]
            + [str(model.config), str(model.weights), '--out', str(out)]
            + ['--work-dir', folder, *options(root, file)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise UserError(f'tools/test.py failed on {root}; see above')
        metrics: dict[str, float] = json.loads(out.read_text())
    return metrics


def table(found: dict[str, dict[str, float]]) -> str:
    """Markdown, in the digits of tools/test.py."""
    about = ', '.join(
        f'{name} {value}' for name, value in run_environment().items()
    )
    lines = [
        f'Measured with {about}. In %, over the distance of the outer eye '
        'corners; boxes: the squares round the keypoints, enlarged by 1.25.',
        '',
        '| data | ' + ' | '.join(COLUMNS.values()) + ' |',
        '|---' * (len(COLUMNS) + 1) + '|',
    ]
    for name, metrics in found.items():
        row = [f'{metrics[key]:.3f}' for key in COLUMNS]
        lines.append(f'| {name} | ' + ' | '.join(row) + ' |')
    return '\n'.join(lines)


def metafile(model: BundledModel, found: dict[str, dict[str, float]]) -> Any:
    """What OpenMMLab's tools read of a model."""
    return dict(
        Collections=[
            dict(
                Name='RED-Net',
                Paper=dict(
                    Title='RED-Net: A Recurrent Encoder-Decoder Network for '
                    'Video-based Face Alignment',
                    URL='https://doi.org/10.1007/s11263-018-1095-1',
                ),
                README='configs/README.md',
            )
        ],
        Models=[
            {
                'Name': model.name,
                'In Collection': 'RED-Net',
                'Config': f'configs/{model.name}.py',
                'Weights': f'rednet_mm/weights/{model.weights.name}',
                'Metadata': {
                    'Architecture': ['RED-Net', 'ResNet-18, half width'],
                    'Training Data': ['300-W', 'YouTube Faces'],
                    'License': 'weights: research only',
                },
                'Results': [
                    dict(
                        Task='Face 2D Keypoint',
                        Dataset=name,
                        Metrics={
                            label: round(metrics[key], 3)
                            for key, label in COLUMNS.items()
                        },
                    )
                    for name, metrics in found.items()
                ],
            }
        ],
    )


def main() -> None:
    argparse.ArgumentParser(
        description='Measure the bundled model, write card and metafile'
    ).parse_args()
    with report_user_errors():
        model = bundled_model()
        found = {name: measure(model, *place) for name, place in DATA.items()}
        card = replace_section(model.card, BEGIN, f'{table(found)}\n', END)
        with atomic_write(model.card) as part:
            part.write_text(card)
        with atomic_write(METAFILE) as part:
            part.write_text(
                yaml.safe_dump(metafile(model, found), sort_keys=False)
            )
    print(table(found))


if __name__ == '__main__':
    main()
