"""Apache Kafka: the relay that copies the log to a topic, and brokers to try it with."""
