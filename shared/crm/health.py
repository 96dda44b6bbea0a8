"""`crm healthcheck`: what a container's health check calls."""

import httpx

from crm.failures import Failure


def check(url: str, seconds: float) -> None:
    try:
        answer = httpx.get(url, timeout=seconds, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failure(f"{url} does not answer: {error}.") from None
    if not answer.is_success:
        raise Failure(f"{url} answers {answer.status_code}: {answer.text[:300].strip()}")
