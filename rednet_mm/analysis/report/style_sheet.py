"""The page's style sheet."""

from .palette import THEME


def _variables(theme: int) -> str:
    return ' '.join(
        f'--{name}: {pair[theme]};' for name, pair in THEME.items()
    )


# Whole pixels: where heights are not, the browser rounds the first column,
# which stays in place when a table scrolls, otherwise than the others.
CSS = (
    f"""
:root {{ color-scheme: light dark; {_variables(0)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(1)} }} }}
"""
    + """
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 66rem;
  background: var(--surface); color: var(--ink);
  font: 1rem/24px system-ui, 'Segoe UI', 'Helvetica Neue', sans-serif; }
h1 { font-size: 1.5rem; line-height: 30px; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.75rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
h1, h2, h3, p, li, figcaption { overflow-wrap: anywhere; }
p { margin: 6px 0; max-width: 48rem; }
.soft, figcaption, .protocol { color: var(--soft); font-size: .85rem;
  line-height: 20px; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin: .75rem 0;
  padding: 0; list-style: none; }
a { color: var(--series-0); }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: separate; border-spacing: 0; font-size: .875rem;
  line-height: 20px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 5px .6rem; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0;
  position: sticky; left: 0; background: var(--surface); }
tbody th { color: var(--ink); font-weight: 400; vertical-align: top;
  white-space: normal; overflow-wrap: break-word; min-width: 7rem;
  max-width: 16rem; }
caption { text-align: left; font-weight: 600; padding: .75rem 0 .25rem; }
thead th { white-space: normal; }
td small { color: var(--soft); font-size: .75rem; }
.note { font-size: .85rem; line-height: 20px; }
table.text td, table.text th { text-align: left; white-space: normal;
  min-width: 5rem; overflow-wrap: anywhere; }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .75rem 0;
  padding: 0; list-style: none; }
.key i { display: inline-block; width: .8rem; height: .8rem;
  border-radius: 2px; margin-right: .4rem; vertical-align: -.05rem; }
figure { margin: .75rem 0 1.25rem; }
figure svg { display: block; width: 100%; min-width: 36rem; height: auto; }
figure svg text { font-family: system-ui, 'Segoe UI', sans-serif !important; }
.faces { display: grid; gap: 1rem .75rem; margin: .75rem 0;
  grid-template-columns: repeat(3, minmax(0, 1fr)); }
.faces figure { margin: 0; }
.faces img { width: 100%; height: auto; display: block; border-radius: 4px; }
.faces figcaption { font-size: .8rem; line-height: 1.35; margin-top: .3rem; }
details summary { cursor: pointer; color: var(--series-0); }
@media (max-width: 40rem) {
  .faces { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  tbody th { min-width: 5.5rem; max-width: 8rem; }
}
@media print { body { max-width: none; } .scroll { overflow: visible; } }
"""
)
