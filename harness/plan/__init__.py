"""What a command is asked to do, before anything is done."""
