"""One line per event on standard output: JSON for machines, readable at a developer's terminal."""

import logging
import os
import sys
import traceback
from collections.abc import Sequence

import structlog
from structlog.typing import EventDict, Processor

# These say at level info what an operator wants to read as a warning or not at all.
TALKATIVE = {"aiokafka": logging.WARNING, "httpx": logging.WARNING, "httpcore": logging.WARNING}

# At level debug this one writes down what it sends, passwords too.
INDISCREET = "aiokafka.conn"


def configure_logs(service: str, level: str = "info") -> None:
    """Send structlog's lines and the standard library's (uvicorn, aiokafka, alembic) the same way."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared = common_processors(service)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering()],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    logging.captureWarnings(True)
    for name in list(logging.Logger.manager.loggerDict):
        # A library that has set up handlers of its own (uvicorn does) would print its lines a second time.
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name, quietest in TALKATIVE.items():
        logging.getLogger(name).setLevel(logging.NOTSET if threshold <= logging.DEBUG else quietest)
    logging.getLogger(INDISCREET).setLevel(logging.INFO if threshold <= logging.DEBUG else logging.NOTSET)


def common_processors(service: str) -> list[Processor]:
    def name_service(_: object, __: str, line: EventDict) -> EventDict:
        line.setdefault("service", service)
        return line

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        name_service,
    ]


def rendering() -> Sequence[Processor]:
    if os.environ.get("CRM_ENVIRONMENT") == "development" and sys.stdout.isatty():
        # Tracebacks without the values of variables: those may be personal.
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        with_the_usual_keys_first,
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]


def with_the_usual_keys_first(_: object, __: str, line: EventDict) -> EventDict:
    return {
        name: line[name] for name in ("time", "level", "service", "logger", "message") if name in line
    } | dict(line)


def told(error: BaseException) -> dict[str, str]:
    """What a log may say of a failure: its kind and where it was. Messages quote values, and values may be personal."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return {"error": type(error).__name__, "sqlstate": str(getattr(error, "sqlstate", "")), "frames": frames}
