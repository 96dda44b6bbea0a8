"""Who may do what with pipelines, deals and orders."""

from kernel.web.auth import Role
from kernel.web.policy import Grants, Policy, Scope

from opportunities.opportunity.commands import OpportunityCommand
from opportunities.order.commands import OrderCommand
from opportunities.pipeline.commands import PipelineCommand

# A rep takes over unassigned deals and hands on own ones, and never learns of a colleague's.
WORK: Grants = {
    Role.SALES_REP: Scope.OWN,
    Role.SALES_MANAGER: Scope.TEAM,
    Role.ADMIN: Scope.ALL,
    Role.SERVICE: Scope.ALL,
}
# A pipeline has no owner: whoever may change one may change all.
RULE: Grants = {Role.SALES_MANAGER: Scope.ALL, Role.ADMIN: Scope.ALL, Role.SERVICE: Scope.ALL}
KNOW: Grants = {
    **RULE,
    Role.SALES_REP: Scope.ALL,
    Role.SERVICE_AGENT: Scope.ALL,
    Role.SERVICE_MANAGER: Scope.ALL,
}

policy = Policy(
    commands={PipelineCommand: RULE, OpportunityCommand: WORK, OrderCommand: WORK},
    reads={"pipeline": KNOW, "opportunity": WORK, "order": WORK},
)
