"""The refusals of this service's own rules, as clients meet them."""

from kernel.web.problems import Problem

PROBLEMS = {
    "COMPANY_EXISTS": Problem(
        409, "The company is registered already", "A company is registered once; correct it instead."
    ),
    "CONTACT_EXISTS": Problem(
        409, "The contact is registered already", "A contact is registered once; correct it instead."
    ),
}
