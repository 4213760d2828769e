"""Response maps out of features, identities out of codes."""

from .identity_head import IdentityHead
from .rednet_head import REDNetHead

__all__ = ['IdentityHead', 'REDNetHead']
