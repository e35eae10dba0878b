"""What `proto/generate.py` makes of the .proto files. Never edited."""
