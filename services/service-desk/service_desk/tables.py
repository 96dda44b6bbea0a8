"""The service's tables: the kernel's, to which the read models attach themselves."""

from kernel.storage.tables import service_metadata

metadata = service_metadata()
