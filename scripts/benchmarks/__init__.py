"""Measurements of a farm on this machine; every subcommand of scripts/bench is a module here."""
