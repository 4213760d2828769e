"""All checks of some files as one report, for JSON and for people."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_converters.checks.one_file import TINY_FACE, check_content
from data_converters.checks.reading import (
    file_names,
    read_dataset,
    read_images,
    too_deep,
)
from data_converters.checks.several_files import (
    beside_paper,
    check_between,
    make_part,
)


def check_files(
    paths: Sequence[Path],
    *,
    root: Path | None = None,
    images: bool = True,
    tiny: float = TINY_FACE,
    keep: int = 3,
    workers: int | None = None,
) -> dict[str, Any]:
    """Check converted data sets, each and beside each other.

    Args:
        paths: JSON files.
        root: The folder that the images are in; None means the one above
            the JSON file's folder, as the converters lay it out.
        images: Whether to decode the images.
        tiny: As for :func:`check_content`.
        keep: How many examples of each kind are kept.
        workers: Number of threads that decode.

    Returns:
        The report: ``files``, ``between``, ``table_4``, ``errors`` and
        ``warnings``, of nothing but what JSON knows.

    Raises:
        DataError: A file cannot be read at all.
    """
    parts, files, all_findings = [], [], []
    for path in paths:
        content = read_dataset(path)
        folder = root or path.resolve().parents[1]
        pictures = None
        if images:
            pictures = read_images(folder, file_names(content), workers)
        try:
            findings = check_content(content, pictures, tiny=tiny, keep=keep)
        except RecursionError:
            raise too_deep(path) from None
        part = make_part(path, content, folder, pictures)
        parts.append(part)
        all_findings.append(findings)
        files.append(
            {
                'file': part.name,
                'info': dict(part.info),
                'counts': dict(part.counts),
                'images_checked': images,
                'findings': [asdict(each) for each in findings.all()],
            }
        )
    between = check_between(parts, keep)
    all_findings.append(between)
    return {
        'files': files,
        'between': [asdict(each) for each in between.all()],
        'table_4': beside_paper(parts),
        'errors': sum(each.count('error') for each in all_findings),
        'warnings': sum(each.count('warning') for each in all_findings),
    }


def as_text(report: Mapping[str, Any]) -> str:
    """A report for a person to read."""
    lines = []
    for file in report['files']:
        info = file['info']
        origin = [
            f'{key} {info[key]}'
            for key in ('converter', 'protocol', 'split')
            if key in info
        ]
        counts = [f'{n:,} {what}' for what, n in file['counts'].items() if n]
        lines += [file['file'], '  ' + ', '.join(origin + counts)]
        if not file['images_checked']:
            lines.append('  images not looked at')
        lines += _finding_lines(file['findings']) or ['  nothing wrong']
    if report['between']:
        lines += ['Between the files', *_finding_lines(report['between'])]
    if report['table_4']:
        lines.append("Beside the paper's Table 4")
        for row in report['table_4']:
            off = row['found'] - row['paper']
            lines.append(
                f'  {row["set"]:12} {row["split"]:6} {row["what"]:9}'
                f'{row["found"]:9,}   paper {row["paper"]:9,}'
                + (f'   {off:+,}' if off else '')
            )
    lines.append(
        f'{report["errors"]:,} errors, {report["warnings"]:,} warnings'
    )
    return '\n'.join(lines)


def _finding_lines(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = []
    for found in findings:
        more = found['count'] - len(found['examples'])
        lines.append(
            f'  {found["level"]:8}{found["count"]:7,} x {found["kind"]}'
        )
        lines += [f'{"":21}{example}' for example in found['examples']]
        if more > 0:
            lines.append(f'{"":21}... and {more:,} more')
    return lines


def write_report(report: Mapping[str, Any], path: Path) -> None:
    """Write a report as JSON, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.part')
    try:
        part.write_text(json.dumps(report, indent=1) + '\n')
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
