"""What the tests of data sets share."""

from __future__ import annotations

import pytest

from rednet_mm.datasets import unreadable


@pytest.fixture
def log(tmp_path, monkeypatch):
    """Reads the log's lines, those of other processes too."""
    path = tmp_path / 'log'
    path.touch()

    def print_log(message, *_):
        with path.open('a') as stream:
            stream.write(message + '\n')

    monkeypatch.setattr(unreadable, 'print_log', print_log)
    return lambda: path.read_text().splitlines()
