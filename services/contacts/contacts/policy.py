"""Who may do what with customers."""

from kernel.web.auth import Role
from kernel.web.policy import Grants, Policy, Scope

from contacts.company.commands import CompanyCommand, SetCompanyOwner
from contacts.contact.commands import ContactCommand, ErasePerson, SetContactOwner

WORK: Grants = {
    Role.SALES_REP: Scope.OWN,
    Role.SALES_MANAGER: Scope.TEAM,
    Role.ADMIN: Scope.ALL,
    Role.SERVICE: Scope.ALL,
}
ASSIGN: Grants = {Role.SALES_MANAGER: Scope.TEAM, Role.ADMIN: Scope.ALL, Role.SERVICE: Scope.ALL}
ERASE: Grants = {Role.SALES_MANAGER: Scope.TEAM, Role.ADMIN: Scope.ALL}
# Agents see the customer's card. An analyst is in none of these: a name is no figure.
READ: Grants = {**WORK, Role.SERVICE_AGENT: Scope.ALL, Role.SERVICE_MANAGER: Scope.ALL}

policy = Policy(
    commands={
        CompanyCommand: WORK,
        SetCompanyOwner: ASSIGN,
        ContactCommand: WORK,
        SetContactOwner: ASSIGN,
        ErasePerson: ERASE,
    },
    reads={"company": READ, "contact": READ},
)
