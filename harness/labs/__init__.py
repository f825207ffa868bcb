"""LAVA labs: boards that others keep, which boot a kernel as a job and give its console back."""
