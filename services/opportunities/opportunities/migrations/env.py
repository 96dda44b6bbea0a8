from kernel.storage import migrations

from opportunities.app import service

migrations.run(service.metadata)
