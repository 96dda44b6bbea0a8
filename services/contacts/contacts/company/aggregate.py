"""The company: decider, stored facts, read model, owner and unique values, tied together."""

from kernel.storage.aggregate import Aggregate
from kernel.storage.codec import EventCodec

from contacts.company.decider import Company, company_decider
from contacts.company.events import CompanyEvent
from contacts.company.views.directory import directory


def unique(state: Company) -> dict[str, str]:
    """A registration number and a reference of another system belong to one company each."""
    said = {"registration_number": state.registration_number, "external_ref": state.external_ref}
    return {kind: value for kind, value in said.items() if value}


company = Aggregate(
    category="company",
    decider=company_decider,
    codec=EventCodec(CompanyEvent),
    views=(directory,),
    owner=lambda state: state,
    unique=unique,
)
