"""What of a company and a contact is told to others: ids and figures, never a name."""

from typing import assert_never
from uuid import UUID

from contracts import contacts as public
from kernel.domain.recorded import Recorded

from contacts.company.events import CompanyCorrected, CompanyEvent, CompanyOwnerSet, CompanyRegistered
from contacts.contact.events import (
    ContactCorrected,
    ContactEvent,
    ContactLinked,
    ContactOwnerSet,
    ContactRegistered,
    PersonErased,
)


def publish(event: Recorded[CompanyEvent | ContactEvent]) -> public.ContactsContract:
    match event.fact:
        case CompanyRegistered() | CompanyCorrected() | CompanyOwnerSet() as fact:
            return told_of_company(event.stream_id, fact)
        case _ as fact:
            return told_of_contact(event.stream_id, fact)


def told_of_company(company_id: UUID, fact: CompanyEvent) -> public.ContactsContract:
    match fact:
        case CompanyRegistered():
            return public.CompanyRegistered(
                company_id=company_id,
                industry=fact.industry,
                country=fact.country,
                employees=fact.employees,
                source=fact.source,
                owner_id=fact.owner_id,
                owner_team=fact.owner_team,
            )
        case CompanyCorrected():
            # Told even when only the name is new: whoever keeps the name knows to ask for it again.
            return public.CompanyCorrected(
                company_id=company_id,
                industry=fact.industry,
                country=fact.country,
                employees=fact.employees,
                source=fact.source,
            )
        case CompanyOwnerSet():
            return public.CompanyOwnerSet(
                company_id=company_id,
                owner_id=fact.owner_id,
                owner_team=fact.owner_team,
                previous_owner_id=fact.previous_owner_id,
                previous_owner_team=fact.previous_owner_team,
            )
        case _:
            assert_never(fact)


def told_of_contact(contact_id: UUID, fact: ContactEvent) -> public.ContactsContract:
    match fact:
        case ContactRegistered():
            return public.ContactRegistered(
                contact_id=contact_id,
                company_id=fact.company_id,
                source=fact.source,
                owner_id=fact.owner_id,
                owner_team=fact.owner_team,
            )
        case ContactCorrected():
            return public.ContactCorrected(contact_id=contact_id, source=fact.source)
        case ContactLinked():
            return public.ContactLinked(
                contact_id=contact_id,
                company_id=fact.company_id,
                previous_company_id=fact.previous_company_id,
            )
        case ContactOwnerSet():
            return public.ContactOwnerSet(
                contact_id=contact_id,
                owner_id=fact.owner_id,
                owner_team=fact.owner_team,
                previous_owner_id=fact.previous_owner_id,
                previous_owner_team=fact.previous_owner_team,
            )
        case PersonErased():
            return public.PersonErased(person_id=contact_id)
        case _:
            assert_never(fact)
