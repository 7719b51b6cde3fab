"""The descriptions of all routes, a module for each feature."""
