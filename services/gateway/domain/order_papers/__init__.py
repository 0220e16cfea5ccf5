"""Orders as the documents that ERPs and suppliers without Kafka exchange, and their answers read back: UBL 2.1 and ANSI X12."""
