"""What the settings say about who wins, as a value of the domain. Built once by `app`."""

from stashplex.base.config import Settings
from stashplex.base.errors import ConfigError
from stashplex.base.mapping_settings import FIELDS
from stashplex.domain.document import Field, TagField, TextField
from stashplex.domain.policy import Destroyed, EditsByPeople, FirstContact, MergeRules
from stashplex.engine.farewell import GoneRules

_EDIT_NAMES: dict[str, Field] = {one.value: one for one in (*TextField, *TagField)}


def gone_rules(settings: Settings) -> GoneRules:
    """Return what becomes of items whose scene is deleted."""
    return GoneRules(Destroyed(settings.destroyed), settings.destroyed_label)


def merge_rules(settings: Settings) -> MergeRules:
    """Return who wins where both sides differ. Raises: ConfigError, when two settings contradict each other."""
    general = EditsByPeople.FOLLOW
    of_field: dict[Field, EditsByPeople] = {}
    for one in settings.edits_by_people:
        name, equals, policy = (part.strip() for part in one.partition("="))
        if equals:
            of_field[_EDIT_NAMES[FIELDS[name]]] = EditsByPeople(policy)
        else:
            general = EditsByPeople(name)
    rules = MergeRules(
        edits_by_people=general,
        of_field=of_field,
        first_contact=FirstContact(settings.first_contact),
        locks=settings.lock_fields,
        respects_locks=settings.respect_locks,
    )
    if rules.contradicts:
        raise ConfigError(
            f"first_contact = {rules.first_contact} and edits_by_people = stash contradict each other: the second sync "
            "would write over what the first one left.",
            hint="Use edits_by_people = follow (or plex), or first_contact = overwrite.",
        )
    return rules
