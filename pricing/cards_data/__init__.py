"""The rate cards that ship with the package: one TOML file a seller, read by `pricing.cards`.

A price is never overwritten: a change is a new `[[variant.price]]` block with its `from`, and a
claim that loses against another stays, with `in_force = false` and a note that says why.
"""
