"""What every test may ask for."""

import pytest

pytest.register_assert_rewrite("tests.support")
pytest_plugins = ["kernel.testing.servers"]
