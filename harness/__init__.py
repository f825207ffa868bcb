"""The orchestrator: builds kernels with and without a series, boots them and runs the tests."""
