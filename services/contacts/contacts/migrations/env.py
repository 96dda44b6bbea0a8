from kernel.storage import migrations

from contacts.app import service

migrations.run(service.metadata)
