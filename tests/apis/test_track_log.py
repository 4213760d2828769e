"""What a video leaves on disk: whole at the end, usable after a kill."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from rednet_mm.apis import TrackedFace, TrackEvent, TrackLog, track_log

MARKS = np.arange(14).reshape(7, 2) / 3


def face(id_, x=10.0):
    return TrackedFace(
        id=id_,
        box=np.array([x, 20, 30, 30]),
        keypoints=MARKS + x,
        scores=np.full(7, 0.5, np.float32),
        spread=2.25,
    )


def appeared(id_):
    return TrackEvent('appeared', id_)


def test_json_and_csv_by_hand(tmp_path):
    path, table = tmp_path / 'a.json', tmp_path / 'deep' / 'a.csv'
    log = TrackLog(dict(source='video.mp4', fps=25.0), str(path), str(table))
    log.add(0, 0.0, [face(0)], [appeared(0)])
    log.add(1, 0.04, [])
    log.add(2, 0.08, [face(1), face(0)], [appeared(1)])
    log.close(dict(how='broken off', why='at 0.12 s'))
    data = json.loads(path.read_text())
    assert list(data)[0] == 'source'
    assert data['fps'] == 25
    assert data['ended'] == dict(how='broken off', why='at 0.12 s')
    assert data['events'] == [
        dict(frame_id=0, kind='appeared', id=0),
        dict(frame_id=2, kind='appeared', id=1),
    ]
    first, second, third = data['frames']
    assert second == dict(frame_id=1, time=0.04, faces=[])
    assert [each['id'] for each in third['faces']] == [1, 0]
    assert first['faces'][0]['bbox'] == [10, 20, 30, 30]
    assert first['faces'][0]['keypoints'][1] == [10.667, 11.0]
    assert first['faces'][0]['scores'] == [0.5] * 7
    totals = data['totals']
    assert (totals['frames'], totals['frames_with_a_face']) == (3, 2)
    assert totals['tracks'] == [
        dict(id=0, first=0, last=2, frames=2),
        dict(id=1, first=2, last=2, frames=1),
    ]
    assert totals['events'] == dict(appeared=2)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row['id'] for row in rows] == ['0', '1', '0']
    assert rows[1]['time'] == '0.08'
    assert (rows[0]['x1'], rows[0]['y6']) == ('10.667', '14.333')
    # Nothing is left but the two files.
    left = [p for p in tmp_path.rglob('*') if p.is_file()]
    assert sorted(left) == sorted([path, table])


def test_switches_are_new_ids_at_the_place_of_another():
    totals = track_log.TrackTotals()
    totals.add(0, [face(0), face(1, 100)], [appeared(0), appeared(1)])
    totals.add(1, [face(1, 100)], [TrackEvent('lost', 0)])
    # Where 0 was; then beside 1, which is still there; then far away.
    totals.add(2, [face(1, 100), face(2, 12)], [appeared(2)])
    totals.add(3, [face(1, 100), face(3, 105)], [appeared(3)])
    totals.add(4, [face(4, 300)], [appeared(4)])
    assert totals.summary()['switches'] == 1
    # Long after it has gone, the place is free.
    late = 4 + track_log.SWITCH_FRAMES
    totals.add(late, [face(5, 300)], [appeared(5)])
    assert totals.summary()['switches'] == 1
    assert totals.summary()['ids'] == 6


def test_nothing_is_written_where_nothing_is_wanted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = TrackLog({})
    log.add(0, 0.0, [face(0)])
    log.close(dict(how='complete'))
    assert list(tmp_path.iterdir()) == []
    assert log.totals.frames == 1


def test_a_video_without_any_frame(tmp_path):
    path = tmp_path / 'a.json'
    TrackLog({}, str(path)).close(dict(how='complete'))
    data = json.loads(path.read_text())
    assert data['frames'] == data['events'] == []


def _write_for_ever(path):
    track_log.SAVE_EVERY, track_log.SAVE_SHARE = 0.0, 1.0
    log = TrackLog(dict(source='video.mp4'), str(path), f'{path}.csv')
    for number in range(10**9):
        log.add(number, number / 25, [face(0), face(1, 50)])


@pytest.mark.parametrize('after', [0.3, 0.45])
def test_a_killed_process_leaves_a_json_that_can_be_read(tmp_path, after):
    path = tmp_path / 'a.json'
    # A copy of this process, with nothing to import; it needs no lock that a
    # thread of this one may hold.
    child = multiprocessing.get_context('fork').Process(
        target=_write_for_ever, args=(path,), daemon=True
    )
    child.start()
    until = time.monotonic() + 120
    while (
        time.monotonic() < until
        and not path.with_suffix('.part.json').exists()
    ):
        time.sleep(0.01)
    time.sleep(after)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert not path.exists()
    data = json.loads((tmp_path / 'a.part.json').read_text())
    assert data['ended'] == dict(how='running')
    saved = [record['frame_id'] for record in data['frames']]
    assert saved == list(range(len(saved)))
    assert len(saved) == data['totals']['frames'] > 0
    # The lines have every frame; of the last one a part may be missing.
    *lines, last = (tmp_path / 'a.part.jsonl').read_text().split('\n')
    numbers = [json.loads(line)['frame_id'] for line in lines]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= len(saved)
    # A later run begins anew and leaves no parts.
    log = TrackLog({}, str(path))
    log.add(0, 0.0, [])
    log.close(dict(how='complete'))
    assert len(json.loads(path.read_text())['frames']) == 1
    assert not list(tmp_path.glob('a.part.json*'))
