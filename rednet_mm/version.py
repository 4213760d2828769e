"""Version of the package; read by setup.py without importing the package."""

__version__ = '0.1.0'

# Of MMPose: the first that was tried, and the first that was not. Private
# methods of its classes are overridden.
MMPOSE = ('1.3.2', '1.4.0')


def check_mmpose() -> None:
    """See that MMPose is there, and a version that was tried.

    pip cannot: setup.py does not name it.

    Raises:
        ImportError: if it is not.
    """
    try:
        import mmpose
        from mmengine.utils import digit_version
    except ModuleNotFoundError as error:
        if error.name not in ('mmpose', 'mmengine'):
            raise
        found = 'none'
    else:
        found = mmpose.__version__
        low, high = map(digit_version, MMPOSE)
        if low <= digit_version(found) < high:
            return
    raise ImportError(
        f'rednet_mm works with MMPose from {MMPOSE[0]} to below {MMPOSE[1]} '
        f'and there is {found}; pip install --no-deps mmpose==1.3.2'
    )
