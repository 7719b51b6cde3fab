"""`python -m api`: the gateway, with gunicorn's options, until it is told to stop."""

from __future__ import annotations

from api.server import GatewayApplication

if __name__ == "__main__":
    GatewayApplication(prog="pressroom run gateway").run()
