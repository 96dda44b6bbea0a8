from kernel.storage import migrations

from service_desk.app import service

migrations.run(service.metadata)
