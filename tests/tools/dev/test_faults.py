"""The tool that spoils checkpoints tells what is survived from what is not."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(
    0, str(Path(__file__).parents[3] / 'tools' / 'dev' / 'reliability')
)

import damage
import faults
from attacks import CONTAINERS, attacks, left_behind, works

from rednet_mm.utils.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    return faults.Bench(tmp_path_factory.mktemp('bench'), 0)


def test_a_whole_checkpoint_is_loaded_by_all(bench):
    torch.save(bench.whole, bench.path)
    assert {bench.outcome(load) for load in bench.loaders()} == {'right'}


@pytest.mark.parametrize('fault', damage.DAMAGES)
def test_damage_is_damage_and_is_refused(bench, fault):
    torch.save(bench.whole, bench.path)
    before = bench.path.read_bytes()
    damage.DAMAGES[fault](random.Random(1), bench.whole, bench.path)
    assert bench.path.read_bytes() != before
    loads = list(bench.loaders())[:4]  # the last builds a network each time
    good = {'refused'}
    if fault == faults.UNNOTICED:
        # Without checksums nobody can tell what a byte was.
        good |= {'right', 'other weights'}
    assert {bench.outcome(load) for load in loads} <= good


def test_attacks_work_and_are_refused(bench):
    # All of them by the tool; here one in each kind of file.
    named = attacks(bench.ran)
    assert all(works(attack, bench.ran) for attack in named.values())
    for write in CONTAINERS.values():
        write(named['getattr'], bench.whole, bench.path)
        load = next(bench.loaders())
        assert bench.outcome(load) == 'refused'
        assert not left_behind(bench.ran)


def test_what_is_lost_is_counted(bench, monkeypatch, capsys):
    def refuse():
        raise UserError(f'{bench.path} is damaged; use another copy')

    def without_a_name():
        raise UserError('damaged')

    def crash():
        raise KeyError('state_dict')

    def run_code():
        (bench.ran / 'ran').touch()
        refuse()

    ways = (refuse, without_a_name, crash, run_code, lambda: bench.network)
    monkeypatch.setattr(bench, 'loaders', lambda: iter(ways))
    row = bench.row('a fault', {'refused', 'right'}, iter(['number 0']))
    # The network that is handed out unloaded has weights of its own.
    assert (row.injected, row.survived, row.lost) == (5, 1, 4)
    said = capsys.readouterr()
    assert 'code ran' in said.out + said.err
