"""The contact: decider, stored facts, read model, owner, unique values and erasure, tied together."""

from kernel.storage.aggregate import Aggregate
from kernel.storage.codec import EventCodec

from contacts.contact.decider import Contact, contact_decider
from contacts.contact.events import ContactEvent, PersonErased
from contacts.contact.views.directory import directory


def unique(state: Contact) -> dict[str, str]:
    """An e-mail belongs to one contact, however it is written; an erased one has none."""
    return {"email": state.email.casefold()} if state.email else {}


contact = Aggregate(
    category="contact",
    decider=contact_decider,
    codec=EventCodec(ContactEvent),
    views=(directory,),
    owner=lambda state: state,
    unique=unique,
    erasing=(PersonErased,),
)
