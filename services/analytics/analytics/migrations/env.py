from kernel.storage import migrations

from analytics.app import service

migrations.run(service.metadata)
