"""Checks of converted data sets: what is wrong, how often, and where.

An error would spoil or stop a training or an evaluation; a warning is for a
person to judge. All coordinates are 0-based image pixels.
"""

from data_converters.checks.findings import Finding, Findings
from data_converters.checks.one_file import PADDING, TINY_FACE, check_content
from data_converters.checks.reading import (
    DecodedImage,
    file_names,
    read_dataset,
    read_image,
    read_images,
)
from data_converters.checks.report import as_text, check_files, write_report
from data_converters.checks.several_files import (
    TABLE_4,
    Part,
    beside_paper,
    check_between,
    known_set,
    make_part,
)

__all__ = [
    'Finding',
    'Findings',
    'PADDING',
    'Part',
    'DecodedImage',
    'TABLE_4',
    'TINY_FACE',
    'as_text',
    'beside_paper',
    'check_between',
    'check_content',
    'check_files',
    'file_names',
    'known_set',
    'make_part',
    'read_dataset',
    'read_image',
    'read_images',
    'write_report',
]
