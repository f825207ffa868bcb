"""What is on a physical host, over SSH and its console."""
