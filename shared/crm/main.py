"""The command line. Each failure that a user can cause is one sentence and an exit code above 0."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn
from uuid import UUID

import typer
from kernel.runtime.guarded import ServerProblem
from kernel.runtime.settings import Events
from typer.exceptions import TyperException

from crm import services
from crm.failures import Failure

# Each command loads what it needs when it is called: `crm --help` need not wait for a web framework.
# ruff: noqa: PLC0415


class CommandLine(typer.Typer):
    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        try:
            code = super().__call__(*args, standalone_mode=False, **kwargs)
        except TyperException as error:
            _give_up(error.format_message(), error.exit_code)
        except (Failure, ServerProblem) as error:
            _give_up(str(error), 1)
        except BrokenPipeError:
            # Whoever reads us has had enough; Python must not complain about it at its exit either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)


def _give_up(sentence: str, code: int) -> NoReturn:
    print(f"crm: {sentence}", file=sys.stderr)
    sys.exit(code)


app = CommandLine(
    name="crm",
    help="Guanxi's command line.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Folder = Annotated[Path | None, typer.Option("--data", help="The folder of the development system.")]


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help="One of " + ", ".join(services.NAMES))],
    host: Annotated[str, typer.Option(envvar="CRM_HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="CRM_PORT", min=1, max=65535)] = 8000,
) -> None:
    """Run one service; CRM_ROLE says which part of it."""
    from crm.serve import serve

    serve(service, host, port)


@app.command()
def run(
    folder: Folder = None,
    events: Annotated[Events, typer.Option(envvar="CRM_EVENTS", help="What brings events.")] = Events.FEED,
    port_base: Annotated[
        int, typer.Option(envvar="CRM_PORT_BASE", min=1024, max=65500, help="The first service's port.")
    ] = services.PORT_BASE,
    demo: Annotated[bool, typer.Option(help="Send the demo data at the first run.")] = True,
    ready_file: Annotated[Path | None, typer.Option(help="Where to write URLs and tokens as JSON.")] = None,
) -> None:
    """Start everything on this machine: database, services, demo data."""
    from crm.local import Local
    from crm.run import run

    run(Local(folder), events=events, port_base=port_base, demo=demo, ready_file=ready_file)


@app.command()
def migrate(
    service: Annotated[str | None, typer.Argument(help="Without it: all that are installed.")] = None,
    folder: Folder = None,
) -> None:
    """Bring databases to the newest schema.

    CRM_DATABASE_URL names the service's database; for all services, any database of their server. Without it the
    development system's server is used.
    """
    from crm.migrating import migrate

    for name in migrate(service, folder):
        print(f"{name} is up to date.")


@app.command()
def topics(
    bootstrap: Annotated[str, typer.Option(envvar="CRM_KAFKA_BOOTSTRAP")] = "127.0.0.1:9092",
    partitions: Annotated[int, typer.Option(envvar="CRM_PARTITIONS", min=1, max=1000)] = 12,
    retention_days: Annotated[int, typer.Option(min=0, help="0 keeps records for ever.")] = 30,
    replicas: Annotated[int, typer.Option(min=1, max=9)] = 1,
) -> None:
    """Make Kafka's topics; those that are there stay as they are."""
    from kernel.messaging.kafka import Cluster

    from crm import configuration
    from crm.topics import ensure

    cluster = Cluster.of(configuration.of_kafka(bootstrap))
    became = ensure(cluster, partitions=partitions, retention_days=retention_days, replicas=replicas)
    for name, what in became.items():
        print(f"{name} {what}")


@app.command()
def token(
    role: Annotated[list[str], typer.Option(help="One of the roles; may be given several times.")],
    subject: Annotated[
        UUID | None, typer.Option(help="Whose token; by default a person of the demo.")
    ] = None,
    team: Annotated[list[str] | None, typer.Option(help="May be given several times.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=8760)] = 12,
    folder: Folder = None,
) -> None:
    """Print a development token; production refuses it."""
    from crm.tokens import make_token

    print(make_token(role, subject, team, hours, folder))


@app.command()
def config() -> None:
    """Check the settings of a service process; report everything that is wrong at once."""
    from crm import configuration

    for name in configuration.unknown():
        print(f"crm: {name} is not a setting; is it misspelt?", file=sys.stderr)
    found = configuration.problems()
    for problem in found:
        print(f"crm: {problem}", file=sys.stderr)
    if found:
        raise typer.Exit(1)
    for name, value in configuration.shown(configuration.load()):
        print(f"{name}={value}")


@app.command()
def healthcheck(
    url: Annotated[str, typer.Argument()] = "http://127.0.0.1:8000/readyz",
    seconds: Annotated[float, typer.Option(min=0.1)] = 3,
) -> None:
    """Succeed if this address answers well."""
    from crm.health import check

    check(url, seconds)


@app.command()
def feed(
    service: str,
    after: Annotated[int, typer.Option(min=0, help="A position; what came later is printed.")] = 0,
    cursor: Annotated[str | None, typer.Option(help="A cursor that the feed gave.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for what is to come.")] = False,
    types: Annotated[str, typer.Option(help="Only these types, separated by commas.")] = "",
    url: Annotated[str | None, typer.Option(help="The service's address.")] = None,
    token: Annotated[str | None, typer.Option(envvar="CRM_SERVICE_TOKEN")] = None,
    folder: Folder = None,
) -> None:
    """Print what a service publishes, one CloudEvent a line."""
    from crm.feed import print_feed

    print_feed(
        service,
        url=url,
        token=token,
        folder=folder,
        after=after,
        cursor=cursor,
        follow=follow,
        types=types,
    )


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file: UTF-8 or GB18030.")],
    map_file: Annotated[Path, typer.Option("--map", help="Which commands a row becomes (TOML).")],
    to: Annotated[str | None, typer.Option(help="The service's address.")] = None,
    token: Annotated[str | None, typer.Option(envvar="CRM_SERVICE_TOKEN")] = None,
    under_way: Annotated[int, typer.Option(min=1, max=4, help="How many slices are sent at once.")] = 3,
    folder: Folder = None,
) -> None:
    """Import a file through the API. The same row makes its record once, however often it is sent.

    An import that was interrupted goes on where it was. It is refused if that might repeat other commands: to another
    principal, or 60 hours after it was begun.
    """
    from crm.importing.command import import_file

    refused = import_file(file, map_file, to=to, token=token, folder=folder, under_way=under_way)
    if refused:
        raise typer.Exit(1)


Operated = Annotated[str, typer.Argument(help="One of " + ", ".join(services.NAMES))]


@app.command()
def verify(service: Operated, folder: Folder = None) -> None:
    """Check versions, the log's digest, and every view against a fold of the log."""
    from crm import operations

    operations.verify(service, folder)


@app.command()
def rebuild(service: Operated, view: str, folder: Folder = None) -> None:
    """Make a view again beside the live one, and switch when it equals a fold of the log."""
    from crm import operations

    operations.rebuild(service, view, folder)


@app.command()
def parked(
    service: Operated,
    release: Annotated[bool, typer.Option("--release", help="Apply what is parked again, in order.")] = False,
    view: Annotated[str | None, typer.Option(help="Only this view's.")] = None,
    folder: Folder = None,
) -> None:
    """List the records that wait behind a failure, or apply them again."""
    from crm import operations

    operations.parked(service, folder, release=release, view=view)


@app.command()
def restored(service: Operated, folder: Folder = None) -> None:
    """After a restore, before anything starts: begin another incarnation, erase again who was erased."""
    from crm import operations

    operations.restored(service, folder)
