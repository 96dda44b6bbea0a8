"""The refusals of this service's rules, as clients meet them; importing this file makes them known."""

from kernel.web.problems import Problem, register

PROBLEMS = {
    "PIPELINE_NOT_FOUND": Problem(404, "No such pipeline", "Define it first, or name one that exists."),
    "PIPELINE_EXISTS": Problem(
        409, "The pipeline exists", "Another pipeline was defined with this id; redefine it instead."
    ),
    "PIPELINE_RETIRED": Problem(
        409, "The pipeline is retired", "It takes no new deals and no new stages until it is reinstated."
    ),
    "STAGE_COUNT": Problem(422, "Too few or too many stages", "A pipeline has 2 to 16 stages."),
    "STAGE_DUPLICATE": Problem(422, "A stage is repeated", "Each stage id appears once in a pipeline."),
    "MILESTONE_DUPLICATE": Problem(
        422, "A milestone is repeated", "Each milestone is carried by one stage of a pipeline at most."
    ),
    "STAGE_UNKNOWN": Problem(
        422, "No such stage", "The deal's pipeline, as it is defined now, has no stage with this id."
    ),
    "OPPORTUNITY_EXISTS": Problem(409, "The opportunity exists", "An opportunity was created with this id."),
    "OPPORTUNITY_CLOSED": Problem(
        409, "The deal is closed", "It was won or lost; reopen it before changing it."
    ),
    "STAGE_ENTRY_NOT_FOUND": Problem(
        404, "No such stage entry", "The deal has no stage entry with this number."
    ),
    "STAGE_ENTRY_ONLY": Problem(
        409, "The only stage entry", "A deal is always in a stage; enter the right one, then void this entry."
    ),
    "AMOUNT_MISSING": Problem(
        409, "The deal has no amount", "A deal is won for an amount: send one, or change the deal's first."
    ),
    "CURRENCY_INVALID": Problem(
        422, "Not a currency", "A currency is three capital letters, as in ISO 4217."
    ),
    "CURRENCY_MISMATCH": Problem(
        422, "Another currency", "All amounts of a deal, and of an order, are in its one currency."
    ),
    "ORDER_EXISTS": Problem(409, "The order exists", "An order was placed with this id."),
    "LINE_COUNT": Problem(422, "Too few or too many lines", "An order has 1 to 500 lines."),
    "QUANTITY_INVALID": Problem(
        422, "The quantity is not valid", "A line is for 1 to 1,000,000,000 of a product."
    ),
}

register(PROBLEMS)
