"""The fault run: a seeded nemesis over the real processes, clients that write down what they saw, and a checker that
believes neither of them: it reads Kafka, Postgres and the history, and no service's code."""
