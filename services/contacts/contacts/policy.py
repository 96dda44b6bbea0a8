"""Who may do what with customers."""

from kernel.web.auth import Role
from kernel.web.policy import Grants, Policy, Scope

from contacts.company.commands import CorrectCompany, RegisterCompany, SetCompanyOwner

WORK: Grants = {
    Role.SALES_REP: Scope.OWN,
    Role.SALES_MANAGER: Scope.TEAM,
    Role.ADMIN: Scope.ALL,
    Role.SERVICE: Scope.ALL,
}
ASSIGN: Grants = {Role.SALES_MANAGER: Scope.TEAM, Role.ADMIN: Scope.ALL, Role.SERVICE: Scope.ALL}
# Agents see the customer's card.
READ: Grants = {**WORK, Role.SERVICE_AGENT: Scope.ALL, Role.SERVICE_MANAGER: Scope.ALL}

policy = Policy(
    commands={RegisterCompany: WORK, CorrectCompany: WORK, SetCompanyOwner: ASSIGN},
    reads={"company": READ},
)
