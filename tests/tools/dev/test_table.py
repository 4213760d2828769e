"""What the tools found goes into one table, and comes back the same."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(
    0, str(Path(__file__).parents[3] / 'tools' / 'dev' / 'reliability')
)

import table
from rows import Row, read_rows, write_rows

pytestmark = pytest.mark.slow


def run_table(monkeypatch, work, out) -> int:
    monkeypatch.setattr(sys, 'argv', ['x', str(work), '--out', str(out)])
    with pytest.raises(SystemExit) as ended:
        table.main()
    return int(ended.value.code)


def test_what_is_written_is_read_and_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['tool.py', '--times', '20'])
    rows = [Row('training', 'kill -9', 20, 20, 0, 'same weights')]
    path = write_rows(str(tmp_path), 'kill', rows, 3, time.monotonic() - 7)
    found = read_rows(path)
    assert found.rows == tuple(rows)
    assert found.about['command'].endswith('tool.py --times 20')
    assert (found.about['seed'], found.about['seconds']) == ('3', '7')
    write_rows(
        str(tmp_path), 'fuzz', [Row('.pts', 'a|b', 1000, 1000, 0)], 0, 0
    )
    # What a killed tool leaves is not looked at.
    Path(path).with_suffix('.part.json').write_text('{')
    out = tmp_path / 'page.md'
    assert run_table(monkeypatch, tmp_path, out) == 0
    lines = [r for r in out.read_text().splitlines() if r.startswith('|')]
    assert lines[2] == '| .pts | a\\|b | 1000 | 1000 | 0 |  |'
    assert lines[3] == '| training | kill -9 | 20 | 20 | 0 | same weights |'
    # 1000 + 20.
    assert lines[4] == '| **all** |  | **1,020** | **1,020** | **0** |  |'


def test_a_loss_is_an_exit_status(tmp_path, monkeypatch):
    write_rows(str(tmp_path), 'kill', [Row('test', 'kill', 2, 1, 1)], 0, 0)
    out = tmp_path / 'page.md'
    assert run_table(monkeypatch, tmp_path, out) == 1
    assert '| test | kill | 2 | 1 | 1 |  |' in out.read_text()


def test_numbers_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match='2 survived and 1 lost of 2'):
        Row('test', 'kill', 2, 2, 1)


@pytest.mark.parametrize(
    'text', ['{', '[]', json.dumps(dict(about={}, rows=[]))]
)
def test_another_file_is_one_sentence(tmp_path, monkeypatch, capsys, text):
    folder = tmp_path / 'reliability'
    folder.mkdir()
    (folder / 'kill.json').write_text(text)
    assert run_table(monkeypatch, tmp_path, tmp_path / 'page.md') == 2
    assert 'kill.json is not what a tool' in capsys.readouterr().err
    assert not (tmp_path / 'page.md').exists()


def test_no_findings_is_one_sentence(tmp_path, monkeypatch, capsys):
    assert run_table(monkeypatch, tmp_path, tmp_path / 'page.md') == 2
    assert 'holds no reliability' in capsys.readouterr().err
