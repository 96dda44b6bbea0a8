"""The cast of a development system: whose tokens `crm run` prints, and who owns the records of the demo data."""

from dataclasses import dataclass
from uuid import UUID

from kernel.domain.ids import named_id


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    roles: tuple[str, ...]
    teams: tuple[str, ...]

    @property
    def subject(self) -> UUID:
        return named_id("person", self.name)


REPS = (
    Person("Lin Mei", ("sales_rep",), ("north",)),
    Person("Zhao Qiang", ("sales_rep",), ("north",)),
    Person("Sun Li", ("sales_rep",), ("north",)),
    Person("Ma Chao", ("sales_rep",), ("north",)),
    Person("Wu Dan", ("sales_rep",), ("south",)),
    Person("Xu Jing", ("sales_rep",), ("south",)),
    Person("He Ping", ("sales_rep",), ("south",)),
    Person("Guo Rui", ("sales_rep",), ("south",)),
)
AGENTS = (
    Person("Tang Yun", ("service_agent",), ("care",)),
    Person("Deng Wei", ("service_agent",), ("care",)),
    Person("Cao Min", ("service_agent",), ("care",)),
    Person("Yuan Bo", ("service_agent",), ("care",)),
)

# One for each role.
USERS = {
    "admin": Person("Chen Xi", ("admin",), ()),
    "sales_rep": REPS[0],
    "sales_manager": Person("Liu Hong", ("sales_manager",), ("north", "south")),
    "service_agent": AGENTS[0],
    "service_manager": Person("Feng Jun", ("service_manager",), ("care",)),
    "analyst": Person("Shen Lan", ("analyst",), ()),
    "service": Person("the services", ("service",), ()),
}
