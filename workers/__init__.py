"""The Celery app, one module per kind of work, and the engines. It never serves HTTP."""
