"""What every test may ask for."""

pytest_plugins = ["kernel.testing.servers"]
