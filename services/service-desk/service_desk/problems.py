"""The refusals of this service's own rules, as clients meet them."""

from kernel.web.problems import Problem

PROBLEMS = {
    "COMPLAINT_EXISTS": Problem(
        409, "The complaint is registered already", "A complaint is registered once, under one id."
    ),
    "COMPLAINT_NOT_OPEN": Problem(
        409, "The complaint is not open", "It was resolved or closed; reopen it before working on it."
    ),
    "COMPLAINT_NOT_RESOLVED": Problem(
        409, "The complaint is not resolved yet", "Only a resolved complaint is confirmed or closed."
    ),
    "COMPLAINT_CLOSED": Problem(
        409, "The complaint is closed", "A closed complaint is reopened before anything else happens to it."
    ),
    "REPLY_HOURS_INVALID": Problem(
        422, "The hours are not possible", "A first reply is promised within one hour to 366 days."
    ),
}
