"""The two pipelines that ship with the product, in the two languages a company may start them in."""

from dataclasses import dataclass
from uuid import UUID

from kernel.domain.ids import named_id

from opportunities.pipeline.commands import DefinePipeline
from opportunities.pipeline.events import Milestone, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One pipeline, whichever of the two definitions makes it: the ids are the same."""

    pipeline_id: UUID
    english: DefinePipeline
    chinese: DefinePipeline


def template(
    slug: str, english: str, chinese: str, *stages: tuple[str, Milestone | None, str, str]
) -> Template:
    return Template(
        pipeline_id=named_id("pipeline", slug),
        english=DefinePipeline(
            name=english,
            stages=tuple(Stage(stage_id=id_, name=name, milestone=mark) for id_, mark, name, _ in stages),
        ),
        chinese=DefinePipeline(
            name=chinese,
            stages=tuple(Stage(stage_id=id_, name=name, milestone=mark) for id_, mark, _, name in stages),
        ),
    )


# A milestone sits on the stage whose beginning proves it: needs are confirmed once a proposal is worked
# on, a proposal is accepted once the close is negotiated, and a deal is signed once it is being delivered.
SEVEN_STAGES = template(
    "seven-stages",
    "Sales in seven stages",
    "七阶段销售流程",
    ("prospecting", Milestone.LEAD, "Prospecting", "寻找潜在客户"),
    ("first-contact", Milestone.FIRST_CONTACT, "First contact", "初次接触"),
    ("need-discovery", None, "Need discovery", "需求挖掘"),
    ("proposal", Milestone.NEEDS_CONFIRMED, "Proposal", "方案呈现"),
    ("objection-handling", None, "Objection handling", "异议处理"),
    ("close", Milestone.PROPOSAL_ACCEPTED, "Close", "促成交易"),
    ("follow-up", Milestone.SIGNED, "Follow-up and maintenance", "跟进与维护"),
)

FIVE_STAGES = template(
    "five-stages",
    "Sales in five stages",
    "五阶段销售流程",
    ("identification", Milestone.LEAD, "Market analysis and identification", "市场分析与客户识别"),
    ("communication", Milestone.FIRST_CONTACT, "Communication and need discovery", "客户沟通与需求挖掘"),
    ("solution", Milestone.NEEDS_CONFIRMED, "Presentation and solution design", "产品展示与方案设计"),
    ("contract", Milestone.PROPOSAL_ACCEPTED, "Negotiation and contract", "谈判与合同签订"),
    ("execution", Milestone.SIGNED, "Order execution and after-sales", "订单执行与售后服务"),
)

TEMPLATES = (SEVEN_STAGES, FIVE_STAGES)
