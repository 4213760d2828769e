"""Tables of ablations: intervals and protocol out of the runs' dumps."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from made_up import random_faces, stills_of

from rednet_mm.evaluation.dumps import write_npz
from rednet_mm.landmarks import SEVEN_OF_68

TOOL = Path(__file__).parents[1] / 'tools' / 'ablation.py'


@pytest.fixture(scope='module')
def ablation():
    return SimpleNamespace(**runpy.run_path(str(TOOL)))


def leave_run(ablation, out, name, dump=True):
    """A run's folder as a test leaves it; its chain and its records."""
    path = ablation.ABLATIONS / f'{name}.py'
    stages = ablation.ablation_stages(path, None, None)
    folder = ablation.run_folder(out, stages)
    folder.mkdir(parents=True)
    records = stills_of(*random_faces(30), box_size=50.0, yaw=[0.0, 45.0] * 15)
    if dump:
        write_npz(records, str(folder / ablation.DUMP))
    metric = ablation.FaceLandmarkMetric(
        norm='box_size', points=SEVEN_OF_68, groups='yaw'
    )
    found = ablation.compare([records], metric.protocol(records))
    figures = {
        f'face/{group}/{figure.partition("@")[0]}': found.figure(
            0, figure, group
        ).value
        for group in ('common', 'challenging')
        for figure in ('NME', 'NME_std', 'failure_rate@10')
    }
    (folder / 'test.json').write_text(json.dumps(figures))
    (folder / 'network.json').write_text(json.dumps(dict(mb=1, ms=2)))
    return stages, found


def test_intervals_and_protocol(ablation, tmp_path):
    name = 'table6_oneshot_det'
    stages, found = leave_run(ablation, tmp_path, name)
    text = ablation.write_tables(tmp_path, {name: stages}, 'about')
    value, low, high = found.figure(0, 'NME', 'common')
    assert f'| {value:.2f} [{low:.2f}, {high:.2f}] (6.05) |' in text
    # The other three rows are not tested.
    assert text.count('- (') == 3 * 4
    sentence = f'*{found.protocol.sentence()}. In square brackets: 95 %'
    assert sentence in text
    assert found.protocol.name == 'aflw'


def test_a_run_of_before_there_were_dumps(ablation, tmp_path):
    name = 'table6_oneshot_det'
    stages, found = leave_run(ablation, tmp_path, name, dump=False)
    text = ablation.write_tables(tmp_path, {name: stages}, 'about')
    value = found.figure(0, 'NME', 'common').value
    assert f'| {value:.2f} (6.05) |' in text and '[' not in text
