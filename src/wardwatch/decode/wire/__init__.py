"""One sans-io parser per protocol: bytes in, message and anomalies out."""
