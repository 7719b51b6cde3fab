"""The chaos suite behind scripts/chaos: a farm of real parts, clients who send it work, and faults from a seeded plan.

It looks at the farm from outside only, through HTTP, the store and the printer, and reads the database where HTTP
cannot tell. `schedule` plans what is struck when, `strikes` has the kinds of faults, `clients` send `kinds` of work and
follow it, `invariants` says in the end what was lost, doubled, stuck or wrong. A new kind of work is a class in `kinds`
and a line in its table: batches and webhooks have their place there once the product has them.
"""
