"""The version of a plan: a hash of what it says, and of nothing else."""

from __future__ import annotations

import hashlib
import json

from .plan import Plan


def version_of(plan: Plan) -> str:
    """The sha256 of a plan's canonical JSON, in 64 hexadecimal digits.

    Canonical is: keys in order, no spaces, everything outside of ASCII escaped.
    """
    canonical = json.dumps(plan.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
