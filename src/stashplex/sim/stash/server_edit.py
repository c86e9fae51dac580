"""Mutations of the server itself: configuration, plugins, jobs.

Settings of a plugin are replaced as a whole. Starting a job answers with its id at once; the job keeps the session
of whoever started it, not the connection.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from stashplex.sim.stash.context import Context
from stashplex.sim.stash.event import Change
from stashplex.sim.stash.job import Job
from stashplex.sim.stash.library import parse_id
from stashplex.sim.stash.package import Spec
from stashplex.sim.stash.refusal import RequestRefused

Input = Mapping[str, Any]


def configure_general(context: Context, given: Input) -> Change:
    """Change the general settings that are given."""
    settings, parts = context.parts.settings, context.parts
    names = {
        "username": "username",
        "password": "password",
        "maxSessionAge": "max_session_age_s",
        "parallelTasks": "parallel_tasks",
        "pythonPath": "python_path",
    }
    for key, attribute in names.items():
        if given.get(key) is not None:
            setattr(settings, attribute, given[key])
    if given.get("stashes") is not None:
        settings.stashes = [each["path"] for each in given["stashes"]]
    if given.get("pluginPackageSources") is not None:
        settings.package_sources = [dict(each) for each in given["pluginPackageSources"]]
    if given.get("pluginsPath") is not None:
        settings.set_plugins_path(given["pluginsPath"])
        parts.shelf.reload()
    return Change(settings.general)


def generate_key(context: Context, given: Input) -> Change:
    """Make a new API key, or clear it. Needs credentials."""
    settings = context.parts.settings
    if given.get("clear"):
        settings.api_key = ""
    elif not settings.username:
        raise RequestRefused("credentials must be set before an API key can be generated")
    else:
        settings.api_key = context.parts.chance.randbytes(24).hex()
    return Change(lambda: settings.api_key)


def configure_plugin(context: Context, plugin_id: str, values: Input) -> Change:
    """Replace a plugin's settings as a whole."""
    context.parts.settings.plugin_values[plugin_id] = dict(values)
    return Change(lambda: context.parts.settings.plugin_values[plugin_id])


def enable_plugins(context: Context, enabled: Mapping[str, bool]) -> Change:
    """Switch plugins on and off."""
    disabled = context.parts.settings.disabled
    for plugin_id, is_enabled in enabled.items():
        (disabled.discard if is_enabled else disabled.add)(plugin_id)
    return Change(lambda: True)


def reload_plugins(context: Context) -> Change:
    """Read the manifests anew."""
    context.parts.shelf.reload()
    return Change(lambda: True)


def install_packages(context: Context, given: Input) -> Change:
    """Queue the installation of plugins."""
    return _queued(context.parts.jobs.add("Installing packages...", context.parts.packages.install(_specs(given))))


def update_packages(context: Context, given: Input) -> Change:
    """Queue the update of plugins, of all without a list."""
    return _queued(context.parts.jobs.add("Updating packages...", context.parts.packages.update(_specs(given))))


def uninstall_packages(context: Context, given: Input) -> Change:
    """Queue the removal of plugins. Its description is that of an update, as on a real server."""
    return _queued(context.parts.jobs.add("Updating packages...", context.parts.packages.uninstall(_specs(given))))


def run_task(context: Context, given: Input) -> Change:
    """Queue a plugin's task."""
    args = dict(given.get("args_map") or _plain_args(given.get("args") or ()))
    job = context.parts.tasks.queue(
        given["plugin_id"], given.get("task_name"), args, context.session, given.get("description") or ""
    )
    return _queued(job)


def scan(context: Context, given: Input) -> Change:
    """Queue a scan."""
    return _queued(context.parts.jobs.add("Scanning...", context.parts.scanner.job(given, context.session)))


def clean(context: Context, given: Input) -> Change:
    """Queue a clean."""
    return _queued(context.parts.jobs.add("Cleaning...", context.parts.upkeep.clean(given, context.session)))


def auto_tag(context: Context, given: Input) -> Change:
    """Queue an auto-tag."""
    return _queued(context.parts.jobs.add("Auto-tagging...", context.parts.upkeep.auto_tag(given)))


def generate(context: Context, given: Input) -> Change:
    """Queue a generation."""
    return _queued(context.parts.jobs.add("Generating...", context.parts.upkeep.generate(given)))


def stop_job(context: Context, job_id: Any) -> Change:
    """Stop a job at once; stopping an unknown one is no error."""
    job = context.parts.jobs.find(parse_id(job_id))
    if job is not None:
        context.parts.jobs.stop(job)
    return Change(lambda: True)


def stop_all_jobs(context: Context) -> Change:
    """Stop all jobs at once."""
    for job in reversed(list(context.parts.jobs.queue)):
        context.parts.jobs.stop(job)
    return Change(lambda: True)


def _queued(job: Job) -> Change:
    return Change(lambda: job.id)


def _specs(given: Input) -> list[Spec]:
    """Return the packages that a request names. Shape: scrapers have none here."""
    if given["type"] != "Plugin":
        raise RequestRefused("the simulated server has no scrapers")
    return [(each["id"], each["sourceURL"]) for each in given.get("packages") or ()]


def _plain_args(args: Iterable[Input]) -> dict[str, Any]:
    return {each["key"]: _plain(each.get("value")) for each in args}


def _plain(value: Input | None) -> Any:
    """Return an argument of the old form as a plain value."""
    for key in ("str", "i", "b", "f"):
        if value and value.get(key) is not None:
            return value[key]
    if value and value.get("o") is not None:
        return _plain_args(value["o"])
    if value and value.get("a") is not None:
        return [_plain(each) for each in value["a"]]
    return None
