"""What the author wrote: found, read with its places, checked for shape, said in our words.

The way through this room is `discover` → `read_yaml` or `read_toml` → `shape` →
`parse`; whether the parts of a declaration hold together is `validate`'s business.
"""
