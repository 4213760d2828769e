"""Every reader, given damaged and hostile content.

A reader reads it or refuses it with one sentence; it does nothing else, and
touches nothing outside its folder. What a long run tries
(``tools/dev/reliability/fuzz.py``) is of the same kind.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from readers import READERS, try_content
from strategies import contents

# The same inputs in every run, and few: a long run draws others.
FEW = settings(
    max_examples=12,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope='module')
def places(tmp_path_factory):
    """The folder of each reader and the file that is replaced."""
    made = {}

    def place(reader):
        if reader.name not in made:
            root = tmp_path_factory.mktemp('reader')
            path = reader.make(root)
            made[reader.name] = root, path, path.read_bytes()
        return made[reader.name]

    return place


@pytest.mark.parametrize('name', READERS)
def test_good_content_is_read(places, name):
    root, path, good = places(READERS[name])
    assert try_content(READERS[name], root, path, good) == 'read'


@pytest.mark.slow
@pytest.mark.parametrize('name', READERS)
def test_damaged_content_is_read_or_refused(places, name):
    reader = READERS[name]
    root, path, good = places(reader)

    @FEW
    @given(contents(reader, good))
    def damaged(content):
        try_content(reader, root, path, content)

    damaged()
