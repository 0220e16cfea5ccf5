"""The other side of an order: the ERP's seat that reads orders from Kafka, and the suppliers that deliver."""
