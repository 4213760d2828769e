"""Sentences of the command lines, and outputs that appear whole."""

from __future__ import annotations

import argparse
import json
from urllib.error import URLError

import pytest

from rednet_mm.utils.cli import (
    add_run_arguments,
    atomic_dump,
    check_suffix,
    report_user_errors,
    run_config,
)
from rednet_mm.utils.errors import UserError

FROM_A_WORKER = """Caught UserError in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "x.py", line 1, in <module>
rednet_mm.utils.errors.UserError: a.jpg is broken; replace it
"""


@pytest.mark.parametrize(
    'error, sentence',
    [
        (UserError('a.jpg is broken; replace it'), 'a.jpg is broken'),
        (UserError(FROM_A_WORKER), 'error: a.jpg is broken; replace it\n'),
        (FileNotFoundError('b.pth does not exist'), 'b.pth does not exist'),
        (URLError('no route'), '(no route); fetch it elsewhere'),
    ],
    ids=['plain', 'worker', 'file', 'download'],
)
def test_one_sentence(capsys, error, sentence):
    with pytest.raises(SystemExit) as stop, report_user_errors():
        raise error
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count('\n') == 1


def test_a_bug_keeps_its_trace():
    with pytest.raises(KeyError), report_user_errors():
        raise KeyError('bug')


def test_interruption(capsys):
    with pytest.raises(SystemExit) as stop, report_user_errors('stopped'):
        raise KeyboardInterrupt
    assert stop.value.code == 130
    assert capsys.readouterr().err == 'stopped\n'


def test_suffix_is_checked_before_the_work():
    check_suffix('--out', None, '.json')
    check_suffix('--out', 'a.JSON', '.json')
    with pytest.raises(UserError, match='--out a.csv'):
        check_suffix('--out', 'a.csv', '.json')


def test_output_is_whole_or_not_there(tmp_path):
    path = tmp_path / 'new' / 'a.json'
    atomic_dump(dict(a=1), str(path))
    assert json.loads(path.read_text()) == dict(a=1)
    with pytest.raises(TypeError):
        atomic_dump(dict(a=object()), str(path))
    assert json.loads(path.read_text()) == dict(a=1)


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        ('', dict(seed=3)),
        ('--seed 5', dict(seed=5)),
        ('--deterministic', dict(seed=3, deterministic=True)),
        ('--seed 0 --deterministic', dict(seed=0, deterministic=True)),
    ],
)
def test_randomness_of_a_run(tmp_path, monkeypatch, words, expected):
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', ':16:8')  # put back after
    monkeypatch.setenv('LOCAL_RANK', '0')
    path = tmp_path / 'config.py'
    path.write_text('randomness = dict(seed=3)\n')
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    add_run_arguments(parser)
    cfg = run_config(parser.parse_args([str(path), *words.split()]))
    assert dict(cfg.randomness) == expected
    assert cfg.run_info['rednet_mm'] and cfg.run_info['numpy']
