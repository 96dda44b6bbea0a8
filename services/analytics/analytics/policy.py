"""Who may see figures: those who lead, analyse or administer. There is nothing personal in any of them."""

from kernel.web.auth import Role
from kernel.web.policy import Grants, Policy, Scope

FIGURES: Grants = {
    Role.SALES_MANAGER: Scope.ALL,
    Role.SERVICE_MANAGER: Scope.ALL,
    Role.ANALYST: Scope.ALL,
    Role.ADMIN: Scope.ALL,
    Role.SERVICE: Scope.ALL,
}

policy = Policy(commands={}, reads={"figures": FIGURES})
