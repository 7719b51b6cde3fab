"""What the gateway and the workers agree on: settings, database, rules, storage, queues, tracing."""
