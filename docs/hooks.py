"""Pages of the site that stand outside ``docs/``, and links that leave it.

GitHub shows the files where they are; the site has a copy of each page of
:data:`PAGES` and names other files of the repository without a link.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]

# Page of the site: its file in the repository.
PAGES = {
    'changelog.md': 'CHANGELOG.md',
    'configs.md': 'configs/README.md',
    'contributing.md': 'CONTRIBUTING.md',
    'model_card.md': 'rednet_mm/weights/README.md',
    'requirements.md': 'requirements/README.md',
    'security.md': 'SECURITY.md',
}
LINK = re.compile(r'\[([^][]*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)]*)?\)')


def on_files(files, config):
    """Add the pages of :data:`PAGES`."""
    for page, source in PAGES.items():
        text = (ROOT / source).read_text()
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Point the links of a page to pages of the site."""
    here = page.file.src_uri
    source = PAGES.get(here, f'docs/{here}')
    pages = {file: name for name, file in PAGES.items()}

    def moved(link):
        words, path, anchor = link[1], link[2], link[3] or ''
        path = posixpath.join(posixpath.dirname(source), path)
        path = posixpath.normpath(path)
        target = pages.get(path)
        if target is None and path.startswith('docs/'):
            target = path.removeprefix('docs/')
        elif target is None and (ROOT / path).exists():
            return words
        elif target is None:
            # As it stands, for mkdocs to complain about.
            return link[0]
        target = posixpath.relpath(target, posixpath.dirname(here) or '.')
        return f'[{words}]({target}{anchor})'

    return LINK.sub(moved, markdown)
