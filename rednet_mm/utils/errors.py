"""The one error that a user can mend."""


class UserError(ValueError):
    """Data, a setting or a file is wrong.

    The message is one line that names what is wrong and the fix; the
    command lines print it without a trace.
    """
