"""Figures as functions of sums, so that resampling needs sums alone.

Every figure is made of sums over rows (frames), or over videos of what their
rows give. A bootstrap sample draws videos: its sums are the sums of those
videos, and no frame is looked at again.

Letters: N rows, C clusters (videos, or images of stills), F sums.
"""

import numpy as np

from .protocol import Protocol
from .stability import Stability


class RowSums:
    """What is summed of each row, and the figures of any sums of it.

    Args:
        errors (np.ndarray): (N,), percent; NaN unmeasured, infinite missing.
        steady (Stability): Of the same rows.
        reinits (np.ndarray): (N,), true where a detector was asked again.
        protocol (Protocol): Its thresholds and its mean.
    """

    def __init__(
        self,
        errors: np.ndarray,
        steady: Stability,
        reinits: np.ndarray,
        protocol: Protocol,
    ) -> None:
        self.protocol = protocol
        self.finite = np.isfinite(errors)
        usable = ~np.isnan(errors)
        # Squares of what is left of this are small: no digits are lost.
        self.centre = errors[self.finite].mean() if self.finite.any() else 0.0
        rest = np.where(self.finite, errors, self.centre) - self.centre
        self.values: dict[str, np.ndarray] = dict(
            rows=np.ones(len(errors)),
            usable=usable,
            finite=self.finite,
            error=rest,
            square=rest**2,
            reinits=reinits,
        )
        known = np.where(usable, errors, 0)
        for limit in protocol.failure_thresholds:
            self.values[f'failure@{limit:g}'] = usable & (known > limit)
        for limit in protocol.auc_limits:
            area = np.clip(1 - known / limit, 0, None)
            self.values[f'auc@{limit:g}'] = np.where(usable, area, 0)
        for name in ('motion', 'acceleration', 'true_acceleration'):
            self._add_mean(name, getattr(steady, name))
        self.of_tracks = dict(lag=steady.lag, nmf=steady.nmf)

    def _add_mean(self, name: str, values: np.ndarray) -> None:
        known = ~np.isnan(values)
        self.values[name] = np.where(known, values, 0)
        self.values[f'{name}_count'] = known

    def by(
        self, labels: np.ndarray, number: int, tracks: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Sums of the rows of each label, (number,) each.

        Args:
            labels (np.ndarray): (N,), from 0; rows of a track share one.
                Negative: not counted.
            number (int): Of labels.
            tracks (np.ndarray): (N,), the track of each row.
        """
        rows = np.flatnonzero(labels >= 0)
        sums = {
            name: np.bincount(
                labels[rows], values[rows].astype(float), minlength=number
            )
            for name, values in self.values.items()
        }
        # A mean over videos takes one value of each that has any.
        told = sums['finite'] > 0
        sums['video'] = np.where(
            told, sums['error'] / np.maximum(sums['finite'], 1), 0
        )
        sums['video_count'] = told.astype(float)
        present, first = np.unique(tracks[rows], return_index=True)
        owner = labels[rows][first]
        for name, values in self.of_tracks.items():
            value = values[present]
            known = ~np.isnan(value)
            for key, weight in ((name, value[known]), (f'{name}_count', None)):
                sums[key] = np.bincount(
                    owner[known], weight, minlength=number
                ).astype(float)
        return sums

    def figures(self, sums: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Figures of sums, of any shape and all of the same.

        NaN where there is nothing to tell; an infinite error where there are
        frames and none has a prediction.
        """
        with np.errstate(invalid='ignore', divide='ignore'):
            return self._figures(sums)

    def _figures(self, sums: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        rest = sums['error'] / sums['finite']
        lost = (sums['usable'] > 0) & (sums['finite'] == 0)
        frame, video = (
            np.where(lost, np.inf, self.centre + value)
            for value in (rest, sums['video'] / sums['video_count'])
        )
        variance = sums['square'] / sums['finite'] - rest**2
        figures = {
            'NME': video if self.protocol.mean == 'video' else frame,
            'NME_std': np.sqrt(np.maximum(variance, 0)),
        }
        for kind, title in (('failure', 'failure_rate'), ('auc', 'AUC')):
            figures.update(
                {
                    name.replace(kind, title): 100 * value / sums['usable']
                    for name, value in sums.items()
                    if name.startswith(f'{kind}@')
                }
            )
        figures.update(NME_frame=frame, NME_video=video)
        for name in (
            'motion',
            'acceleration',
            'true_acceleration',
            'lag',
            'nmf',
        ):
            figures[name] = sums[name] / sums[f'{name}_count']
        return {
            **figures,
            'frames': sums['usable'],
            'missing': sums['usable'] - sums['finite'],
            'unmeasured': sums['rows'] - sums['usable'],
            'reinits': sums['reinits'],
        }
