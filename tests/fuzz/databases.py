"""SQLite databases damaged by other statements, and by bytes."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from random import Random

from mutations import NAMES, NUMBERS, damage_bytes

# What is read: table and column.
PLACES = (
    ('Faces', 'face_id'), ('Faces', 'db_id'), ('Faces', 'file_id'),
    ('FaceImages', 'filepath'), ('FaceImages', 'width'),
    ('FaceImages', 'height'), ('FaceImages', 'file_id'),
    ('FeatureCoords', 'face_id'), ('FeatureCoords', 'feature_id'),
    ('FeatureCoords', 'x'), ('FeatureCoords', 'y'),
    ('FaceRect', 'w'), ('FaceRect', 'h'), ('FaceRect', 'face_id'),
    ('FacePose', 'yaw'), ('FacePose', 'roll'), ('FacePose', 'face_id'),
)  # fmt: skip

# A view that never ends, a column of a gigabyte that is not there, a table
# that runs a module, a trigger that would write.
HOSTILE = (
    'DROP TABLE Faces; CREATE VIEW Faces(face_id, db_id, file_id, rowid) AS '
    'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) '
    "SELECT n, 'flickr', 'a', n FROM c;",
    'DROP TABLE FaceRect; CREATE TABLE FaceRect (face_id INTEGER, w, '
    'h GENERATED ALWAYS AS (zeroblob(900000000)) VIRTUAL); '
    'INSERT INTO FaceRect VALUES (40, 1);',
    'DROP TABLE FacePose; CREATE VIRTUAL TABLE FacePose '
    'USING fts5(face_id, yaw, pitch, roll);',
    'DROP TABLE Faces; CREATE VIEW Faces AS SELECT 1 face_id, '
    "'flickr' db_id, 'x' file_id, zeroblob(900000000) rowid;",
    'CREATE TRIGGER t AFTER INSERT ON Faces BEGIN DELETE FROM Faces; END;',
    'PRAGMA journal_mode = WAL; INSERT INTO Faces VALUES (9, 9, 9);',
    "ALTER TABLE Faces ADD COLUMN annot_type_id DEFAULT 'x';",
    'UPDATE FaceImages SET filepath = zeroblob(50000000);',
    'DELETE FROM Faces;',
)


def damage_database(content: bytes, rng: Random) -> bytes:
    """A database with other values in other types, or damaged bytes."""
    if rng.random() < 0.4:
        return damage_bytes(content, rng)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'a.sqlite'
        path.write_bytes(content)
        connection = sqlite3.connect(path)
        connection.execute('PRAGMA synchronous = OFF')
        if rng.random() < 0.15:
            connection.executescript(rng.choice(HOSTILE))
        for _ in range(rng.randint(1, 2)):
            table, column = rng.choice(PLACES)
            value = rng.choice((*NAMES, *NUMBERS, b'\xff\0', None, 1e308, -1))
            # As bytes, what is no text in UTF-8 goes in as it is.
            if isinstance(value, str) and rng.random() < 0.3:
                value = value.encode('utf-8', 'surrogatepass')
            if isinstance(value, str) and '\ud800' in value:
                value = value.encode('utf-8', 'surrogatepass')
            kind = rng.randrange(3)
            try:
                if kind == 0:
                    connection.execute(f'UPDATE {table} SET {column} = NULL')
                elif kind == 1:
                    connection.execute(
                        f'UPDATE {table} SET {column} = CAST(? AS TEXT)',
                        [value],
                    )
                else:
                    connection.execute(
                        f'UPDATE {table} SET {column} = ?', [value]
                    )
            except sqlite3.Error:
                pass  # the table is gone by now
        connection.commit()
        connection.close()
        return path.read_bytes()
