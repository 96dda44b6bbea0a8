"""Who may do what with complaints and the reply policy. (`policy` is the promise itself.)"""

from kernel.web.auth import Role
from kernel.web.policy import Grants, Policy, Scope

from service_desk.complaint.commands import ComplaintCommand, RegisterComplaint
from service_desk.policy.commands import ReplyPolicyCommand

# Whoever is free takes the next case, so the desk works on all of them.
DESK: Grants = {
    Role.SERVICE_AGENT: Scope.ALL,
    Role.SERVICE_MANAGER: Scope.ALL,
    Role.ADMIN: Scope.ALL,
    Role.SERVICE: Scope.ALL,
}
# Sales hear complaints first and pass them on; they follow their own and those that nobody has yet.
WITH_SALES: Grants = {**DESK, Role.SALES_REP: Scope.OWN, Role.SALES_MANAGER: Scope.TEAM}
DEFINE: Grants = {Role.SERVICE_MANAGER: Scope.ALL, Role.ADMIN: Scope.ALL, Role.SERVICE: Scope.ALL}
EVERYONE: Grants = dict.fromkeys(Role, Scope.ALL)

access = Policy(
    commands={ComplaintCommand: DESK, RegisterComplaint: WITH_SALES, ReplyPolicyCommand: DEFINE},
    reads={"complaint": WITH_SALES, "reply_policy": EVERYONE},
)
