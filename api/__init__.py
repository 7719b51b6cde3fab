"""The gateway: HTTP in, a database row and a message out. It never renders and never prints."""
