"""Predictions of other systems, and the command line that measures them."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import write_stills
from made_up import random_faces, videos_of

from rednet_mm.evaluation import Protocol, evaluate, read_predictions
from rednet_mm.evaluation.dumps import write_npz
from rednet_mm.evaluation.tables import FORMATS, Interval, Table, write_table

TOOL = Path(__file__).parents[2] / 'tools' / 'evaluate.py'
FILES = [f'images/all_{n}.jpg' for n in range(4)]


@pytest.fixture
def annotated(tmp_path):
    """Four stills of a face each; the file and its marks (4, 68, 2)."""
    path = tmp_path / 'annotations' / 'all.json'
    write_stills(path)
    faces = json.loads(path.read_text())['annotations']
    marks = [np.reshape(face['keypoints'], (-1, 3))[:, :2] for face in faces]
    return path, np.array(marks)


def errors_of(path, annotated, **settings):
    records = read_predictions(str(path), str(annotated), **settings)
    return records, evaluate(records, Protocol()).errors


def expected_errors(marks, pixels):
    eyes = np.linalg.norm(marks[:, 36] - marks[:, 45], axis=1)
    return 100 * np.array(pixels) / eyes


def as_frames(path, marks):
    frames = [
        dict(file_name=name, keypoints=m.tolist())
        for name, m in zip(FILES, marks)
    ]
    frames[3]['keypoints'] = None
    about = dict(version='1.0')
    path.write_text(json.dumps(dict(name='dlib', about=about, frames=frames)))


def as_coco(path, marks):
    path.write_text(
        json.dumps(
            [
                dict(
                    id=77,
                    image_id=n + 1,
                    category_id=1,
                    score=0.5,
                    keypoints=np.pad(m, ((0, 0), (0, 1))).ravel().tolist(),
                )
                for n, m in enumerate(marks[:3])
            ]
        )
    )


def as_csv(path, marks):
    head = ','.join(f'x{k},y{k}' for k in range(68))
    lines = [f'file_name,{head}']
    for name, m in zip(FILES, marks[:3]):
        lines.append(','.join([name, *map(repr, m.ravel().tolist())]))
    lines.append(FILES[3] + ',' * 136)
    path.write_text('\n'.join(lines) + '\n')


@pytest.mark.parametrize(
    'file, write',
    [('a.json', as_frames), ('b.json', as_coco), ('c.csv', as_csv)],
)
def test_forms(tmp_path, annotated, file, write):
    path, marks = annotated
    pixels = np.array([0.0, 1, 2, 3])
    write(tmp_path / file, marks + pixels[:, None, None] * (0, 1))
    records, errors = errors_of(tmp_path / file, path)
    # The last face is not found.
    expected = expected_errors(marks, [0, 1, 2, np.inf])
    np.testing.assert_allclose(errors, expected, atol=1e-9)
    assert records.name == ('dlib' if file == 'a.json' else file[0])
    assert records.image_paths[0] == str(tmp_path / FILES[0])


def test_seven_points_and_ids(tmp_path, annotated):
    path, marks = annotated
    seven = marks[:, [36, 39, 42, 45, 30, 48, 54]]
    frames = [
        dict(file_name=name, id=n + 1, keypoints=m.tolist())
        for n, (name, m) in enumerate(zip(FILES, seven))
    ]
    (tmp_path / 'a.json').write_text(json.dumps(dict(frames=frames)))
    records = read_predictions(str(tmp_path / 'a.json'), str(path))
    assert len(records.points) == 7
    assert evaluate(records, Protocol(points='7')).figures['NME'] == 0


def test_predictions_on_a_file_of_seven_points(tmp_path, annotated):
    _, marks = annotated
    seven = tmp_path / 'seven' / 'annotations' / 'all.json'
    write_stills(seven, points=7)
    path = tmp_path / 'x.json'
    as_frames(path, marks + [3, 4])
    records = read_predictions(str(path), str(seven))
    found = evaluate(records, Protocol(points='7'))
    np.testing.assert_allclose(
        found.errors[:3], expected_errors(marks, 5)[:3], rtol=1e-6
    )


def test_several_faces_of_an_image_by_their_boxes(tmp_path, annotated):
    path, marks = annotated
    data = json.loads(path.read_text())
    # All four faces in the first image, 100 pixels apart.
    for n, face in enumerate(data['annotations']):
        face['image_id'] = 1
        face['bbox'][0] += 100 * n
        marks[n] += (100 * n, 0)
        face['keypoints'] = np.pad(
            marks[n], ((0, 0), (0, 1)), constant_values=2
        ).ravel().tolist()  # fmt: skip
    path.write_text(json.dumps(data))
    # Two of them, the last first, and something beside all faces.
    found = [marks[3] + 1, marks[1], marks[0] + 1000]
    frames = [dict(file_name=FILES[0], keypoints=m.tolist()) for m in found]
    (tmp_path / 'a.json').write_text(json.dumps(dict(frames=frames)))
    records, errors = errors_of(tmp_path / 'a.json', path)
    assert np.isinf(errors).tolist() == [True, False, True, False]
    assert errors[1] == 0
    assert errors[3] == pytest.approx(expected_errors(marks[3:], [2**0.5])[0])
    assert records.provenance['not annotated'].startswith('1 ')


@pytest.mark.parametrize(
    'file, content, said',
    [
        ('a.json', '{', 'in JSON'),
        ('a.json', '{"frames": [3]}', 'is not a file of predictions'),
        ('a.json', '3', 'is not a file of predictions'),
        (
            'a.json',
            '[{"file_name": "x.jpg", "keypoints": [[1, 2]]}]',
            'predicts no annotated frame',
        ),
        (
            'a.json',
            f'[{{"file_name": "{FILES[0]}", "keypoints": [[1, 2]]}}]',
            '1 landmarks predicted, 68 annotated',
        ),
        (
            'a.json',
            f'[{{"file_name": "{FILES[0]}", "keypoints": ["a"]}}]',
            'are not pairs of numbers',
        ),
        ('a.csv', 'file_name,x0\n', "no column 'y0'"),
        ('a.csv', '', "no column 'file_name'"),
        ('a.csv', f'file_name,x0,y0\n{FILES[0]},1,b\n', 'line 2 has not 2'),
    ],
)
def test_what_are_no_predictions(tmp_path, annotated, file, content, said):
    (tmp_path / file).write_text(content)
    with pytest.raises(ValueError, match=said):
        read_predictions(str(tmp_path / file), str(annotated[0]))


# -- the command line ---------------------------------------------------------


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, 'argv', ['evaluate.py', *map(str, words)])
    runpy.run_path(str(TOOL), run_name='__main__')


def test_systems_side_by_side(tmp_path, monkeypatch, capsys):
    prediction, truth = random_faces(40)
    for name, off in (('a', 0.0), ('b', 2.0)):
        records = videos_of(
            prediction + off, truth, [10] * 4, category=[1, 2, 3, 1] * 10
        )
        write_npz(records, str(tmp_path / f'{name}.npz'))
    run(
        monkeypatch,
        tmp_path / 'a.npz',
        f'other={tmp_path / "b.npz"}',
        *('--protocol', '300vw', '--norm', 'pupils', '--points', '51'),
        *('--by', 'video', 'landmark', '--samples', '50'),
        *('--out', tmp_path / 'out', '--format', *FORMATS),
    )
    said = capsys.readouterr().out
    assert 'Differences to a' in said and 'By video' in said
    assert said.count('protocol 300vw, changed (version 1): 51 points') >= 7
    stored = json.loads((tmp_path / 'out' / 'evaluation.json').read_text())
    assert stored['protocol']['norm'] == 'pupils'
    first = stored['tables'][0]
    expected = evaluate(records, Protocol(norm='pupils', points='51'))
    row = first['rows'][1]
    assert row['system'] == 'other'
    assert row['NME (%)']['value'] == pytest.approx(expected.figures['NME'])
    assert [row['system'] for row in first['rows']] == [
        'a',
        'other',
        'a + shape filter',
        'a + One Euro',
    ]
    assert len(list((tmp_path / 'out').iterdir())) == len(FORMATS)
    run(monkeypatch, tmp_path / 'a.npz', '--no-smooth', '--samples', '50')
    assert 'One Euro' not in capsys.readouterr().out


@pytest.mark.parametrize(
    'words, said',
    [
        ([], 'nothing to measure'),
        (['x.npz'], 'x.npz does not exist'),
        (['--predictions', 'x.json'], 'name the annotation file'),
        (['{a}', '{a}'], 'two systems are called a'),
        (['{a}', '--norm', 'nose'], "norm 'nose' is not one of"),
        (['{a}', '--points', '12,99'], "points '12,99' are not a set"),
        (['{a}', '--by', 'yaw'], 'has no yaw'),
        (['{a}', '--by', 'yaw', 'turn'], 'one of them at a time'),
    ],
)
def test_one_sentence(tmp_path, monkeypatch, capsys, words, said):
    write_npz(videos_of(*random_faces(4), [4]), str(tmp_path / 'a.npz'))
    words = [word.format(a=tmp_path / 'a.npz') for word in words]
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, *words)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert said in error and error.count('\n') == 1


def test_tables_in_every_form():
    table = Table(
        'A & <b>',
        'by hand',
        ('system', 'NME_x (%)', 'frames'),
        (('<script>|', Interval(1.234, 1.0, 1.5), 3), ('two', 2.0, None)),
        'Note.',
    )
    texts = {form: write_table(table, form) for form in FORMATS}
    assert all('by hand' in text for text in texts.values())
    assert '1.23 [1.00, 1.50]' in texts['text']
    assert r'| <script>\| | 1.23 [1.00, 1.50] | 3 |' in texts['markdown']
    assert texts['csv'].splitlines()[1:] == [
        'system,NME_x (%),NME_x (%) low,NME_x (%) high,frames',
        '<script>|,1.234,1.0,1.5,3',
        'two,2.0,,,',
    ]
    assert r'\caption{A \& <b>.' in texts['latex']
    assert r'NME\_x (\%)' in texts['latex']
    assert '<script>' not in texts['html'] and '&lt;script' in texts['html']
    row = json.loads(texts['json'])['rows'][0]
    assert row['NME_x (%)'] == dict(value=1.234, low=1.0, high=1.5)
    with pytest.raises(ValueError, match="'xls' is not a form of tables"):
        write_table(table, 'xls')
