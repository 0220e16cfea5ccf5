"""The local platform: a real Kafka and a real PostgreSQL from packages, and the five services as processes."""
