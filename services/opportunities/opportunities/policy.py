"""Who may do what with pipelines, deals and orders."""

from kernel.web.auth import Role
from kernel.web.policy import Grants, Policy, Scope

from opportunities.opportunity.commands import (
    ChangeAmount,
    ChangeExpectedClose,
    CreateOpportunity,
    EnterStage,
    LoseOpportunity,
    ReassignOpportunity,
    ReopenOpportunity,
    VoidStageEntry,
    WinOpportunity,
)
from opportunities.order.commands import CancelOrder, PlaceOrder
from opportunities.pipeline.commands import (
    DefinePipeline,
    RedefinePipeline,
    ReinstatePipeline,
    RetirePipeline,
)

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
    commands={
        DefinePipeline: RULE,
        RedefinePipeline: RULE,
        RetirePipeline: RULE,
        ReinstatePipeline: RULE,
        CreateOpportunity: WORK,
        EnterStage: WORK,
        VoidStageEntry: WORK,
        ChangeAmount: WORK,
        ChangeExpectedClose: WORK,
        ReassignOpportunity: WORK,
        WinOpportunity: WORK,
        LoseOpportunity: WORK,
        ReopenOpportunity: WORK,
        PlaceOrder: WORK,
        CancelOrder: WORK,
    },
    reads={"pipeline": KNOW, "opportunity": WORK, "order": WORK},
)
