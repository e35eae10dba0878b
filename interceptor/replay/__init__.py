"""Yesterday's calls under another policy: recorded calls decided again, under the recorded clock."""
