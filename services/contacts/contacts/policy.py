"""Who may do what with customers."""

from kernel.web.auth import Role
from kernel.web.policy import Grants, Policy, Scope

from contacts.company.commands import CorrectCompany, RegisterCompany, SetCompanyOwner
from contacts.contact.commands import (
    CorrectContact,
    ErasePerson,
    LinkContact,
    RegisterContact,
    SetContactOwner,
)

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
        RegisterCompany: WORK,
        CorrectCompany: WORK,
        SetCompanyOwner: ASSIGN,
        RegisterContact: WORK,
        CorrectContact: WORK,
        LinkContact: WORK,
        SetContactOwner: ASSIGN,
        ErasePerson: ERASE,
    },
    reads={"company": READ, "contact": READ},
)
