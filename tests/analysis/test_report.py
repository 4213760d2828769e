"""A whole report of made-up systems, and the tool that draws over time."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import face_shape

from rednet_mm.analysis import compare
from rednet_mm.analysis.report import over_time, write_report
from rednet_mm.evaluation import LandmarkRecords, Protocol
from rednet_mm.evaluation.dumps import write_npz
from rednet_mm.utils.errors import UserError
from rednet_mm.utils.landmarks import SEVEN_OF_68

TOOLS = Path(__file__).parents[2] / 'tools'
sys.path.insert(0, str(TOOLS))
import evaluate  # noqa: E402
import plot_time  # noqa: E402

NASTY = '<script>alert("a")</script>'
# The outer eye corners of face_shape(64) are 0.46 * 64 pixels apart.
EYES = 0.46 * 64


def records(name, offsets, folder='nowhere', points=range(68), **changes):
    """Frames of two tracks of three, all landmarks off by so many % in x."""
    truth = np.stack([face_shape(64)] * 6)
    points = tuple(points)
    off = np.asarray(offsets, float)[:, None] / 100 * EYES
    prediction = truth[:, points].copy()
    prediction[..., 0] += off
    fields = dict(
        name=name,
        points=points,
        prediction=prediction,
        truth=truth,
        visible=np.ones((6, 68), bool),
        boxes=np.tile([0.0, 0, 64, 64], (6, 1)),
        keys=tuple((f'{i}.png', '0') for i in range(6)),
        tracks=np.repeat([0, 1], 3),
        track_names=('calm', NASTY),
        clusters=np.repeat([0, 1], 3),
        frame_ids=np.tile(np.arange(3), 2),
        categories=np.repeat([1, 3], 3),
        groups=np.full(6, ''),
        yaws=np.full(6, np.nan),
        box_sizes=np.full(6, np.nan),
        scores=None,
        image_paths=tuple(f'{folder}/{i}.png' for i in range(6)),
        reinits=np.zeros(6, bool),
        provenance={'checkpoint': f'{NASTY}.pth', 'commit': 'abc123'},
    )
    return LandmarkRecords(**{**fields, **changes})


def systems(folder='nowhere'):
    return [
        records('ours', [1, 2, 3, 4, 5, 6], folder),
        records(NASTY, [9, 9, 9, 5, np.nan, 7], folder),
    ]


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """A report with the images at hand, and its files."""
    folder = tmp_path_factory.mktemp('images')
    for number in range(6):
        image = np.full((64, 64, 3), 40 * number, np.uint8)
        cv2.imwrite(str(folder / f'{number}.png'), image)
    out = tmp_path_factory.mktemp('out') / 'new'
    found = compare(systems(folder), Protocol(grouping='category'), 50)
    assert write_report(found, out, [NASTY]) == out / 'report.html'
    return out


def test_report_has_all_its_files(report):
    files = {
        str(path.relative_to(report))
        for path in report.rglob('*')
        if path.is_file()
    }
    assert not [name for name in files if name.endswith('.part')]
    assert {'report.html', 'report.md', 'tables.tex'} < files
    for name in ('ced', 'groups', 'landmarks', 'error-1', 'motion-1'):
        image = cv2.imread(str(report / 'figures' / f'{name}.png'))
        assert image is not None
        assert image.std() > 1
    assert len([name for name in files if name.endswith('.csv')]) > 4
    for system in (1, 2):
        sheet = cv2.imread(str(report / 'figures' / f'worst-{system}.png'))
        # One frame of each of the two tracks, side by side.
        assert sheet.shape == (320, 640, 3)


def test_page_has_all_its_parts_and_nothing_from_outside(report):
    text = (report / 'report.html').read_text()
    # Names of systems, videos and files are text.
    assert '<script' not in text.lower()
    assert '&lt;script&gt;alert(' in text
    for key in ('tables', 'ced', 'time', 'groups', 'landmarks', 'worst'):
        assert f'<section id="{key}">' in text
    # Figures: curve, two videos with error and motion, groups, mean face.
    assert text.count('<svg ') == 1 + 2 * 2 + 1 + 1
    assert text.count('data:image/jpeg;base64,') == 4
    assert 'abc123' in text
    for word in ('src="http', 'href="http', 'url(http', '@import'):
        assert word not in text
    # The worst frame of the second system: 9 %, the first has 1 % there.
    assert '9.0 %: calm, frame 0 (ours 1.0 %)' in text


def test_every_table_has_its_protocol(report):
    text = (report / 'report.html').read_text()
    tables = text.count('<table>')
    assert tables > 4
    assert text.count('<p class="protocol">') == tables + 1
    markdown = (report / 'report.md').read_text()
    assert markdown.count('*protocol rednet') == tables
    latex = (report / 'tables.tex').read_text()
    assert latex.count(r'\begin{table}') == tables
    assert latex.count('protocol rednet') == tables


def test_images_that_are_not_there_are_named(tmp_path):
    found = compare(systems(), Protocol(), 50)
    text = write_report(found, tmp_path).read_text()
    assert text.count('The image files are not at hand') == 2
    assert '<td>calm, frame 0</td>' in text
    assert 'data:image' not in text
    assert not list((tmp_path / 'figures').glob('worst-*'))


def test_stills_and_seven_points(tmp_path):
    stills = [
        records(
            'seven',
            [1, 2, 3, 4, 5, 6],
            points=SEVEN_OF_68,
            tracks=np.arange(6),
            track_names=tuple('abcdef'),
            clusters=np.arange(6),
            frame_ids=np.zeros(6, int),
        )
    ]
    page = write_report(compare(stills, Protocol(points='7'), 50), tmp_path)
    text = page.read_text()
    assert 'These are still images: nothing runs over time.' in text
    assert 'The protocol has no groups.' in text
    assert '6 faces in still images.' in text
    # Curve and mean face.
    assert text.count('<svg ') == 2


def test_other_points_have_no_mean_face(tmp_path):
    one = records('few', [1, 2, 3, 4, 5, 6], points=SEVEN_OF_68)
    few = records(
        'few',
        [0] * 6,
        points=range(7),
        truth=one.truth[:, SEVEN_OF_68],
        visible=one.visible[:, :7],
        prediction=one.prediction,
    )
    found = compare([few], Protocol(norm='box', points='all'), 50)
    text = write_report(found, tmp_path).read_text()
    assert 'The mean face is drawn of 68 points' in text


def test_unknown_video_leaves_nothing(tmp_path):
    found = compare(systems(), Protocol(), 50)
    with pytest.raises(UserError, match="no video 'other'; there are calm"):
        write_report(found, tmp_path / 'out', ['other'])
    assert not (tmp_path / 'out').exists()


def test_chosen_tracks():
    found = compare(systems(), Protocol(), 50)
    # Means: ours 2 and 5, the other 9 and (5 + 7) / 2 = 6. So the second
    # video is the worst of ours, and the first the most different one.
    chosen = over_time.choose_tracks(found)
    assert [each.track for each in chosen] == [1, 0]
    assert 'largest mean error of ours' in chosen[0].reason
    assert 'largest difference of' in chosen[1].reason
    # What is asked for comes first, and no video twice.
    chosen = over_time.choose_tracks(found, ['calm'])
    assert [each.track for each in chosen] == [0, 1]
    assert chosen[0].reason == 'asked for'


def test_measures_by_hand():
    ours, other = compare(systems(), Protocol(), 50).summaries
    np.testing.assert_allclose(
        over_time.measure_of(ours, 'error'), [1, 2, 3, 4, 5, 6]
    )
    assert np.isinf(over_time.measure_of(other, 'error')[4])
    np.testing.assert_allclose(
        over_time.measure_of(ours, 'x36'),
        face_shape(64)[36, 0] + np.arange(1, 7) / 100 * EYES,
    )
    # From frame to frame 1 % of the eyes more, in both tracks alike.
    motion = over_time.measure_of(ours, 'motion')
    assert np.isnan(motion[[2, 5]]).all()
    assert np.ptp(motion[[0, 1, 3, 4]]) == pytest.approx(0, abs=1e-9)
    seven = compare(
        [records('t', range(6), points=range(17))],
        Protocol(points=','.join(map(str, range(17)))),
        50,
    ).summaries[0]
    with pytest.raises(UserError, match='t does not predict landmark 36'):
        over_time.measure_of(seven, 'x36')


def call(monkeypatch, tool, *arguments) -> int:
    monkeypatch.setattr(sys, 'argv', ['tool', *map(str, arguments)])
    try:
        tool.main()
    except SystemExit as error:
        return error.code
    return 0


def test_evaluate_writes_the_report(monkeypatch, tmp_path, capsys):
    write_npz(systems()[0], str(tmp_path / 'a.npz'))
    out = tmp_path / 'report'
    arguments = (tmp_path / 'a.npz', '--samples', 20, '--report', out)
    assert call(monkeypatch, evaluate, *arguments, '--videos', 'calm') == 0
    assert f'written: {out / "report.html"}' in capsys.readouterr().out
    text = (out / 'report.html').read_text()
    assert 'Video calm (asked for): error over the frames.' in text


@pytest.mark.parametrize('what', over_time.CURVES)
@pytest.mark.parametrize('suffix', ['png', 'svg'])
def test_plot_time(monkeypatch, tmp_path, capsys, what, suffix):
    paths = [tmp_path / f'{n}.npz' for n in 'ab']
    for path, each in zip(paths, systems()):
        write_npz(each, str(path))
    out = tmp_path / 'new' / f'figure.{suffix}'
    wanted = ('--video', 'calm', '--what', what, '--out', out)
    assert call(monkeypatch, plot_time, *paths, *wanted) == 0
    assert 'protocol rednet' in capsys.readouterr().out
    data = out.read_bytes()
    if suffix == 'png':
        assert data.startswith(b'\x89PNG')
    else:
        text = data.decode()
        assert '>video calm<' in text
        assert '>a<' in text
        assert ('>truth<' in text) == (what == 'x36')


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        (('--video', 'other'), "there is no video 'other'; there are calm"),
        (('--out', 'figure.gif'), 'name a file that ends in .png or .svg'),
    ],
)
def test_plot_time_says_what_is_wrong(
    monkeypatch, tmp_path, capsys, changes, says
):
    write_npz(systems()[0], str(tmp_path / 'a.npz'))
    arguments = ('--video', 'calm', '--out', tmp_path / 'x.png', *changes)
    dump = tmp_path / 'a.npz'
    assert call(monkeypatch, plot_time, dump, *arguments) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / 'x.png').exists()
