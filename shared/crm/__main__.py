"""`python -m crm`, for who starts it without its script."""

from crm.main import app

app()
