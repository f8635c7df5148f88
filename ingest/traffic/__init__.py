"""What would be used? Recorded and simulated traffic, before there are logs to ingest."""
