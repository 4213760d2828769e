"""Ablations: which runs they need, and the tables out of their dumps."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up import random_faces, stills_of

from rednet_mm.analysis.tables import Interval
from rednet_mm.evaluation.dumps import write_npz
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.landmarks import SEVEN_OF_68

sys.path.insert(0, str(Path(__file__).parents[3] / 'tools'))

import ablation
from ablations.figure9 import figure_lines
from ablations.paper import CLAIMS, PARTS
from ablations.runs import ABLATIONS, DUMP, RESULT, Runs, all_ablations
from ablations.tables import all_tables, claims_table, paper_table, verdict

SCALE = dict(evaluator=dict(norm='outer_eyes', groups='turn', points=None))
DET, REG = 'table6_oneshot_det', 'table6_oneshot_reg'


def runs_of(out, *names, seeds=(0, 1, 2)):
    return Runs(out, [ABLATIONS / f'{n}.py' for n in names], SCALE, seeds)


def leave_test(runs, row, factor=1.0, detects=False):
    """A row's folders as its tests leave them; errors by a factor."""
    _, truth = random_faces(30)
    for seed, stages in enumerate(runs.rows[row]):
        rng = np.random.default_rng(seed)
        off = factor * rng.normal(0, 2 + 0.05 * seed, truth.shape)
        points = list(SEVEN_OF_68) if detects else list(range(68))
        records = stills_of(
            (truth + off)[:, points],
            truth,
            points=[tuple(points)] * len(truth),
        )
        folder = runs.folder(stages)
        folder.mkdir(parents=True)
        write_npz(records, str(folder / DUMP))
        (folder / RESULT).write_text('{}')


def test_rows_that_are_one_training_share_it(tmp_path):
    runs = runs_of(
        tmp_path,
        'table6_det_reg',
        'table7_recurrent',
        'table8_with_recurrence',
        'figure9_with_identity',
        'unpool_broadcast',
    )
    names = [job.name for job in runs.jobs()]
    seed0 = [name for name in names if '-seed0-' in name]
    # Table 6's row is Table 7's and the first stage of all others; the second
    # is common to all, Figure 9's curve is Table 8's row.
    assert [name.partition('-')[0] for name in seed0] == [
        'train table6_det_reg',
        'test table6_det_reg',
        'train rednet_resnet_stage2_lfw',
        'train table8_with_recurrence',
        'test table8_with_recurrence',
        'train unpool_broadcast',
        'test unpool_broadcast',
    ]
    # All rows of a seed, then those of the next.
    assert len(names) == 21
    assert all(f'-seed{n // 7}-' in name for n, name in enumerate(names))
    train, test, _, clips, *_ = runs.jobs()
    assert test.needs == (train.name,) and train.needs == ()
    assert clips.needs == (names[2],)
    # What another process finds there it takes for its own.
    stages = runs.rows['table7_recurrent'][1]
    runs.folder(stages).mkdir(parents=True)
    again = runs_of(tmp_path, 'table7_recurrent')
    assert again.folder(stages) == runs.folder(stages)


def test_what_is_done_is_not_done_again(tmp_path):
    runs = runs_of(tmp_path, DET, seeds=[0])
    train, test = runs.jobs()
    folder = runs.folder(runs.rows[DET][0])
    folder.mkdir(parents=True)
    (folder / 'epoch_60.pth').touch()
    (folder / 'last_checkpoint').write_text('epoch_60.pth')
    assert [job.name for job in runs.jobs()] == [test.name]
    command = test.command()
    assert command[3] == str(folder / 'epoch_60.pth')
    assert Path(command[2]).is_file()
    (folder / RESULT).touch()
    assert runs.jobs() == []


def test_every_claim_is_about_configs_that_are_there():
    for path in all_ablations():
        assert path.is_file()
    named = {path.stem for path in all_ablations()}
    assert named == {path.stem for path in ABLATIONS.glob('*.py')}
    assert {name for claim in CLAIMS for name in claim[2:]} <= named
    some = all_ablations(['table5_vgg_300vw'])
    assert len(some) == len(named) - 1


def test_a_table_has_means_and_intervals(tmp_path):
    runs = runs_of(tmp_path, DET, REG)
    leave_test(runs, DET, detects=True)
    table = paper_table(runs, 'Table 6')
    # Rows that are not part of the runs are not shown; of those that are,
    # what is not tested is open.
    assert [row[0] for row in table.rows] == [
        'One-shot detection',
        'One-shot regression',
    ]
    det, reg = table.rows
    assert det[-2] == '3' and reg[-2] == '0'
    assert reg[1] == '- (5.92)'
    assert det[1].endswith('] (6.05)') and '[' in det[1]
    # Both rows on the points that all have.
    leave_test(runs, REG)
    table = paper_table(runs, 'Table 6')
    assert '7 points' in table.protocol_sentence
    assert '68' not in table.protocol_sentence


def test_claims_point_where_the_metrics_do(tmp_path):
    runs = runs_of(tmp_path, DET, REG, 'table6_det_reg', 'table6_det_det')
    leave_test(runs, DET, factor=2.0, detects=True)
    leave_test(runs, REG, factor=1.0)
    leave_test(runs, 'table6_det_reg', factor=1.5)
    found = {row[0]: row for row in claims_table(runs).rows}
    better = found['one-shot regression against one-shot detection']
    assert better[2] == '7' and better[3].high < 0 and better[-1] == 'yes'
    worse = found['det. & reg. against one-shot regression']
    assert worse[2] == '68' and worse[3].low > 0 and worse[-1] == 'no'
    untested = found['det. & det. against one-shot detection']
    assert untested[-1] == 'not tested'
    # Nothing is said of rows that are no part of the runs.
    assert len(found) == 4
    assert 'one-shot regression against' in all_tables(runs)


def test_verdicts():
    assert verdict(Interval(-1, -2, -0.1), 3) == 'yes'
    assert verdict(Interval(-1, -2, 0.1), 3) == 'undecided'
    assert verdict(Interval(1, 0.1, 2), 3) == 'no'
    assert verdict(Interval(1, float('nan'), float('nan')), 3) == 'not known'
    # The images alone would say yes.
    assert verdict(Interval(-1, -2, -0.1), 1) == 'not known'


def leave_curve(runs, row, accuracies):
    for stages, accuracy in zip(runs.rows[row], accuracies):
        folder = runs.folder(stages) / '20261124' / 'vis_data'
        folder.mkdir(parents=True)
        lines = [
            dict(
                step=epoch,
                **{f'map/accuracy/{p}': accuracy + epoch for p in PARTS},
                **{f'map/f1/{p}': 50.0 + accuracy / 10 for p in PARTS},
            )
            for epoch in (1, 2)
        ]
        text = '\n'.join(map(json.dumps, [dict(loss=1), *lines]))
        (folder / 'scalars.json').write_text(text)


def test_curves_of_figure_9(tmp_path):
    rows = ('figure9_with_identity', 'figure9_without_identity')
    runs = runs_of(tmp_path, *rows)
    assert figure_lines(runs, tmp_path / 'figure9.png') == []
    leave_curve(runs, rows[0], (80, 81, 82))
    leave_curve(runs, rows[1], (75, 76, 77))
    text = '\n'.join(figure_lines(runs, tmp_path / 'figure9.png'))
    # Means of three: 81 and 76, and the epoch.
    assert '| with identity | 2 | 83.00 / 58.1 |' in text
    assert '| without identity | 1 | 77.00 / 57.6 |' in text
    # As in the tests of intervals: variance 1, 5 +- 2.2669.
    assert 'last epoch: 5.00 [2.73, 7.27] points' in text
    assert text.count("points the paper's way: yes") == 2
    assert (tmp_path / 'figure9.png').exists()
    assert (tmp_path / 'figure9.csv').exists()


def test_a_page_keeps_what_stands_before_the_mark(tmp_path):
    page = tmp_path / 'page.md'
    with pytest.raises(FileNotFoundError, match='does not exist'):
        ablation.replace_section(page, 'new')
    page.write_text('# Title\n')
    with pytest.raises(UserError, match='has no line'):
        ablation.replace_section(page, 'new')
    page.write_text(f'# Title\n\n{ablation.MARK}\n\nold\n')
    assert ablation.replace_section(page, 'new\n') == (
        f'# Title\n\n{ablation.MARK}\n\nnew\n'
    )
