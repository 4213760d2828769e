"""The mean of the true faces, on which errors of landmarks are drawn."""

import numpy as np

# The outer eye corners of 68.
_EYES = (36, 45)


def mean_face(
    truth: np.ndarray, visible: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """The mean shape, eyes level, in units of the norm.

    Faces whose outer eye corners are not annotated, or whose norm is not
    known, are left out.

    Args:
        truth (np.ndarray): True landmarks, shape (N, 68, 2), pixels.
        visible (np.ndarray): Shape (N, 68), true where annotated.
        lengths (np.ndarray): What errors are divided by, pixels, shape (N,).

    Returns:
        np.ndarray: Shape (68, 2), its origin between the eyes; NaN where a
        landmark is never annotated.
    """
    usable = visible[:, list(_EYES)].all(1) & (lengths > 0)
    truth, visible = truth[usable].astype(float), visible[usable]
    left, right = (truth[:, eye] for eye in _EYES)
    across = right - left
    middle = (left + right) / 2
    # As complex numbers a turn is a product.
    turn = np.conj(across @ [1, 1j])
    turn /= np.maximum(np.abs(turn), 1e-12) * lengths[usable]
    places = ((truth - middle[:, None]) @ [1, 1j]) * turn[:, None]
    places = np.where(visible, places, 0)
    counts = visible.sum(0)
    means = places.sum(0) / np.maximum(counts, 1)
    face = np.stack([means.real, means.imag], axis=-1)
    face[counts == 0] = np.nan
    return face
