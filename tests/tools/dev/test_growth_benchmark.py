"""tools/dev/benchmarks/growth.py: lines by hand, videos, tracking at tiny
sizes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(
    0, str(Path(__file__).parents[3] / 'tools' / 'dev' / 'benchmarks')
)

import growth
import growth_tracking
import videos as videos
from drawn_faces import SquareNetwork, frame
from growth_training import first_videos
from lines import Growth, line_through

from rednet_mm.apis import VideoWriter, read_frames

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parents[3] / 'configs'


def write_video(path, frames):
    writer = VideoWriter(path, 25)
    for each in frames:
        writer.write(each)
    writer.close()
    return str(path)


def images_of(path):
    with read_frames(str(path)) as reader:
        return [each.image for each in reader]


def test_a_line_by_hand():
    line = line_through([1, 2, 3], [3, 5, 7])
    assert (line.start, line.slope) == pytest.approx((1, 2))
    assert line.off == pytest.approx(0, abs=1e-12)
    assert line.straight


def test_points_beside_a_line_by_hand():
    # Means 1 and 2; slope (-1 * -1 + 0 + 1 * 2) / 2 = 1.5, start 2 - 1.5.
    # Beside the points 1, 1, 4 by 0.5, 1, 0.5: a half, all, an eighth.
    line = line_through([0, 1, 2], [1, 1, 4])
    assert (line.start, line.slope) == pytest.approx((0.5, 1.5))
    assert line.off == pytest.approx(1)
    assert not line.straight


def test_a_table_by_hand():
    rows = [
        {'faces': 1, 'ms': 3.0, 'bytes': 100},
        {'faces': 2, 'ms': 5.0, 'bytes': 100},
        {'faces': 4, 'ms': 9.0, 'bytes': 104},
    ]
    text = growth.as_markdown(
        Growth('Title', 'faces', rows, ('ms',), ('bytes',))
    )
    assert '### Title\n\n| faces | ms | bytes |\n' in text
    assert '| 4 | 9 | 104 |' in text
    assert '* ms: 1 + 2 x faces; straight' in text
    assert 'yes, 0.0%' in text
    assert 'largest over smallest: 1.0400' in text


def test_videos_are_made_of_others(tmp_path):
    shades = [
        np.full((48, 64, 3), shade, np.uint8) for shade in (40, 120, 200)
    ]
    video = write_video(tmp_path / 'video.avi', shades)
    assert videos.size_of(video) == (64, 48)

    path = str(tmp_path / 'longer.avi')
    videos.there_and_back(video, 2, 3, path)
    seen = [image.mean() for image in images_of(path)]
    assert seen == pytest.approx([40, 120, 120, 40, 40, 120], abs=3)

    path = str(tmp_path / 'beside.avi')
    videos.put_beside_itself(video, 3, videos.GRIDS[8], path)
    assert [image.shape for image in images_of(path)] == [(96, 256, 3)] * 3

    path = str(tmp_path / 'smaller.avi')
    videos.resized(video, 1, (32, 24), path)
    assert [image.shape for image in images_of(path)] == [(24, 32, 3)]


def test_annotations_of_the_first_videos(tmp_path):
    whole = tmp_path / 'all.json'
    videos = [dict(id=n) for n in (7, 8, 9)]
    images = [dict(id=n, video_id=7 + n // 2) for n in range(6)]
    marks = [dict(id=n, image_id=n) for n in range(6)]
    whole.write_text(
        json.dumps(dict(videos=videos, images=images, annotations=marks))
    )
    part = json.loads((tmp_path / first_videos(whole, 2)).read_text())
    assert [each['id'] for each in part['videos']] == [7, 8]
    assert [each['id'] for each in part['images']] == [0, 1, 2, 3]
    assert [each['image_id'] for each in part['annotations']] == [0, 1, 2, 3]


def test_tracking_is_measured(tmp_path, monkeypatch, capsys):
    # In this process: its memory is of no interest here.
    monkeypatch.setattr(growth_tracking, 'apart', lambda call, *a: call(*a))
    monkeypatch.setattr(growth_tracking, 'bundled_network', SquareNetwork)
    places = [(30 + n, 40) for n in range(4)]
    video = write_video(
        tmp_path / 'video.avi', [frame(each) for each in places]
    )
    out = tmp_path / 'growth.json'
    command = (
        f'growth.py --video {video} --box 30 40 16 16 --frames 4 --repeats 1 '
        f'--what length faces resolution --faces 1 2 8 --widths 96 128 160 '
        f'--times 1 2 5 --json {out}'
    )
    monkeypatch.setattr(sys, 'argv', command.split())
    growth.main()
    parts = json.loads(out.read_text())['parts']
    assert list(parts) == ['faces', 'resolution', 'length']
    # Every face in every frame, however many and large, there and back.
    for part, sizes in (
        ('faces', [1, 2, 8]),
        ('resolution', [96 * 72e-6, 128 * 96e-6, 160 * 120e-6]),
        ('length', [4, 8, 20]),
    ):
        rows = parts[part]['rows']
        found = [row['faces found'] for row in rows]
        assert found == ([1, 2, 8] if part == 'faces' else [1, 1, 1])
        assert [row[parts[part]['size']] for row in rows] == pytest.approx(
            sizes
        )
        assert all(row['ms a frame'] > 0 for row in rows)
    states = [row['state, bytes'] for row in parts['length']['rows']]
    assert max(states) == min(states) > 0
    assert '| 20 |' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('wishes', 'said'),
    [
        ('--video x.mp4', '--video and --box belong together'),
        ('--video x.mp4 --box 1 2 3 4', 'x.mp4 does not exist'),
        ('--what faces --faces 1 2 2', '--faces 1 2 2: name three'),
        ('--times 0 1 2', '--times 0 1 2: name three'),
        ('--repeats 0', '--repeats and --clips are 1 or more'),
        ('--json x.txt', 'ends in .json'),
        ('--config nowhere.py', 'nowhere.py does not exist'),
    ],
)
def test_wrong_wishes_are_one_sentence(wishes, said, monkeypatch, capsys):
    config = CONFIGS / 'rednet_r18_ytfaces.py'
    command = ['growth.py', '--config', str(config), *wishes.split()]
    monkeypatch.setattr(sys, 'argv', command)
    with pytest.raises(SystemExit) as stop:
        growth.main()
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count('\n') == 1
