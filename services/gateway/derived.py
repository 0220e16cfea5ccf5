"""What the gateway derives from the topics: everything it shows. Accounts, sessions, keys and webhooks are not derived."""

from kit.rebuild import NAME_FACTS, Derived, Table
from services.gateway import stream
from services.gateway.store.rebuild import READ_MODELS

# A row of a read model holds nothing that does not come from an event, so whole rows are compared.
TABLES = (
    *(Table(name, (f"{name}.*",)) for name in READ_MODELS),
    Table("live_events", ("tenant",), where="false"),
    # Other codes of orders: the catalogue forgets earlier meanings.
    NAME_FACTS,
)

# Notices are mailed and sent to webhooks; those of events that were read before have been.
DERIVED = Derived(TABLES, stream.attach, quiet=("notices",))
