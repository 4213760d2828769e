"""Outputs are there complete or not at all."""

from __future__ import annotations

import os

import pytest

from rednet_mm.utils.errors import UserError
from rednet_mm.utils.io import (
    atomic_write,
    partial_path,
    refuse_overwriting,
)


def test_it_appears_when_it_is_complete(tmp_path):
    path = tmp_path / 'new' / 'a.b.json'
    with atomic_write(path) as part:
        part.write_text('half')
        assert part.suffix == '.json' and '.part' in part.name
        assert not path.exists()
    assert path.read_text() == 'half'
    assert [each.name for each in path.parent.iterdir()] == ['a.b.json']


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('before')
    with pytest.raises(KeyError), atomic_write(str(path)) as part:
        part.write_text('half')
        raise KeyError
    assert path.read_text() == 'before'
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_overwritten(tmp_path):
    path = tmp_path / 'a.txt'
    partial_path(path).write_text('left over, and longer')
    with atomic_write(path) as part:
        part.write_text('new')
    assert path.read_text() == 'new'
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_written_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / 'a.txt'):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('link', [None, os.link, os.symlink])
@pytest.mark.parametrize('given', ['folder', 'file'])
def test_no_output_replaces_an_input(tmp_path, link, given):
    source = tmp_path / 'in' / 'a.txt'
    source.parent.mkdir()
    source.write_text('before')
    output = source
    if link:
        output = tmp_path / 'b.txt'
        link(source, output)
    inputs = [None, '0', source.parent if given == 'folder' else source]
    with pytest.raises(UserError, match='is the input itself'):
        refuse_overwriting(inputs, [None, str(output)])
    other = tmp_path / 'other.txt'
    refuse_overwriting(inputs, [None, other, source.parent / 'new.txt'])
    other.write_text('an earlier output may be replaced')
    refuse_overwriting(inputs, [other])
