"""What one expects of an application, as a TOML file: its schema, its numbers, its making."""
