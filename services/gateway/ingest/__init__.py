"""Events in: checked against their contracts one by one, written to Kafka durably before anybody is told so."""
